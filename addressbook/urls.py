from django.urls import include, path

from addressbook.views import certificate, contacts, groups, pauses, suppressions

app_name = "addressbook"
urlpatterns = [
    path("contacts/", contacts.contact_list, name="contacts"),
    path("contacts/add/", contacts.add, name="contact-add"),
    path("contacts/standing/", contacts.address_standing, name="contact-standing"),
    path("contacts/bulk/", contacts.bulk, name="contacts-bulk"),
    path("contacts/export/", contacts.contacts_export, name="contacts-export"),
    path("contacts/<int:pk>/", contacts.contact, name="contact"),
    path("contacts/<int:pk>/edit/", contacts.edit, name="contact-edit"),
    path("contacts/<int:pk>/opt-out/", contacts.opt_out, name="contact-opt-out"),
    path("contacts/<int:pk>/opt-in/", contacts.opt_in, name="contact-opt-in"),
    path("contacts/<int:pk>/erase/", contacts.erase, name="contact-erase"),
    path("contacts/<int:pk>/export/", contacts.export, name="contact-export"),
    path("contacts/<int:pk>/certificate/", certificate.of_contact, name="contact-certificate"),
    path("contacts/<int:pk>/access/", contacts.access, name="contact-access"),
    path("contacts/<int:pk>/groups/", contacts.groups, name="contact-groups"),
    path("groups/", groups.group_list, name="groups"),
    path("groups/add/", groups.add, name="group-add"),
    path("groups/<int:pk>/", groups.group, name="group"),
    path("groups/<int:pk>/rename/", groups.rename, name="group-rename"),
    path("groups/<int:pk>/delete/", groups.delete, name="group-delete"),
    path("groups/<int:pk>/remove/", groups.remove, name="group-remove"),
    path("suppressions/", suppressions.suppression_list, name="suppressions"),
    path("suppressions/add/", suppressions.add, name="suppression-add"),
    path("suppressions/export/", suppressions.export, name="suppressions-export"),
    path("suppressions/pauses/", pauses.pause_list, name="pauses"),
    path("suppressions/certificate/", certificate.of_address, name="certificate"),
    path("suppressions/<int:pk>/certificate/", certificate.of_suppression, name="suppression-certificate"),
    path("suppressions/<int:pk>/lift/", suppressions.lift, name="suppression-lift"),
    path("", include("addressbook.import_urls")),
]
