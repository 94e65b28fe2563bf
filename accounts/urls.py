from django.urls import path

from accounts import views

app_name = "accounts"
urlpatterns = [
    path("login", views.login, name="login"),
    path("logout", views.logout, name="logout"),
    path("password-reset", views.password_reset, name="password-reset"),
    path("password-reset/sent", views.password_reset_sent, name="password-reset-sent"),
    path("password-reset/done", views.password_reset_complete, name="password-reset-complete"),
    path("password-reset/<uidb64>/<token>", views.password_reset_confirm, name="password-reset-confirm"),
    path("company", views.company_switch, name="company-switch"),
    path("settings", views.company_settings, name="settings"),
    path("settings/team", views.team_page, name="team"),
    path("settings/team/<int:pk>/role", views.member_role, name="member-role"),
    path("settings/team/<int:pk>/remove", views.member_remove, name="member-remove"),
]
