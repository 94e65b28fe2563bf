from django.urls import path

from addressbook.views import imports

urlpatterns = [
    path("imports/", imports.import_list, name="imports"),
    path("imports/add/", imports.add, name="import-add"),
    path("imports/<int:pk>/", imports.import_run, name="import"),
    path("imports/<int:pk>/columns/", imports.columns, name="import-columns"),
    path("imports/<int:pk>/check/", imports.check, name="import-check"),
    path("imports/<int:pk>/start/", imports.start, name="import-start"),
    path("imports/<int:pk>/cancel/", imports.cancel, name="import-cancel"),
    path("imports/<int:pk>/undo/", imports.undo_import, name="import-undo"),
    path("imports/<int:pk>/discard/", imports.discard, name="import-discard"),
    path("imports/<int:pk>/rejected/", imports.rejected, name="import-rejected"),
]
