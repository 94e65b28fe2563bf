from django.urls import path

from campaigns.views import campaigns, composer, dashboard, templates

app_name = "campaigns"
verbs = [
    path(f"campaigns/<int:pk>/{verb}", campaigns.act, {"verb": verb}, name=f"campaign-{verb}")
    for verb in ("pause", "resume", "cancel", "archive", "restore")
]
urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("campaigns", campaigns.campaigns, name="campaigns"),
    path("campaigns/new", composer.compose, name="campaign-add"),
    path("campaigns/preview", composer.live_preview, name="campaign-preview"),
    path("campaigns/plain", composer.plain_text, name="campaign-plain"),
    path("campaigns/<int:pk>", campaigns.campaign, name="campaign"),
    path("campaigns/<int:pk>/edit", composer.compose, name="campaign-edit"),
    path("campaigns/<int:pk>/review", composer.review, name="campaign-review"),
    path("campaigns/<int:pk>/launch", composer.launch, name="campaign-launch"),
    path("campaigns/<int:pk>/progress", campaigns.progress, name="campaign-progress"),
    path("campaigns/<int:pk>/test", composer.send_test, name="campaign-test"),
    path("campaigns/<int:pk>/resend", campaigns.resend_failed, name="campaign-resend"),
    path("campaigns/<int:pk>/duplicate", campaigns.duplicate, name="campaign-duplicate"),
    path("campaigns/<int:pk>/delete", campaigns.delete, name="campaign-delete"),
    path("settings/templates", templates.template_list, name="templates"),
    path("settings/templates/new", templates.template_form, name="template-add"),
    path("settings/templates/preview", templates.preview, name="template-preview"),
    path("settings/templates/<int:pk>", templates.template_form, name="template"),
    path("settings/templates/<int:pk>/delete", templates.delete, name="template-delete"),
    *verbs,
]
