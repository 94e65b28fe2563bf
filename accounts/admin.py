"""The administrators' pages. They see across companies; what may not be changed by hand is shown only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.core.paginator import Paginator
from django.db import models
from django.dispatch import Signal
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts.forms import CompanyForm
from accounts.models import Bucket, Company, Member, User

#: Sent with `company` when an administrator adds one; who equips it lives in a layer above.
company_added = Signal()


def across_companies(model: type[models.Model]) -> models.QuerySet[Any]:
    """Every row of any model: those of a company have a manager that shows none without one."""
    manager = model._default_manager
    return manager.across_companies() if hasattr(manager, "across_companies") else manager.all()


class BoundedPaginator(Paginator):
    """Counts to LIMIT and no further: counting ten million messages would take seconds per page."""

    LIMIT = 10_000

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by().values("pk")[: self.LIMIT].count()


class CompanyAdmin(admin.ModelAdmin):
    """Of a model that belongs to a company."""

    list_select_related = ["company"]
    list_filter: Any = ["company"]
    show_full_result_count = False
    paginator = BoundedPaginator

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows = across_companies(self.model)
        ordering = self.get_ordering(request)
        return rows.order_by(*ordering) if ordering else rows

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("queryset", across_companies(db_field.remote_field.model))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("queryset", across_companies(db_field.remote_field.model))
        return super().formfield_for_manytomany(db_field, request, **kwargs)


class ReadOnly:
    """Shown, never changed from here: the rules of such rows live in the code that writes them."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnly, CompanyAdmin):
    ordering = ["-pk"]


class MemberInline(admin.TabularInline):
    model = Member
    extra = 0
    autocomplete_fields = ["user"]


class AdminCompanyForm(CompanyForm):
    class Meta(CompanyForm.Meta):
        fields = ["name", "slug", *CompanyForm.Meta.fields[1:], "templates_required"]


@admin.register(Company)
class CompanyPage(admin.ModelAdmin):
    form = AdminCompanyForm
    list_display = ["name", "slug", "country", "language", "opt_out_scope", "created_at"]
    list_filter = ["country", "language", "opt_out_scope", "templates_required"]
    search_fields = ["name", "slug"]
    date_hierarchy = "created_at"
    prepopulated_fields = {"slug": ["name"]}
    inlines = [MemberInline]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if request.user.is_superuser else ["templates_required"]

    def save_model(self, request: HttpRequest, obj: Company, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            company_added.send(Company, company=obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # its ledger outlives it


@admin.register(Member)
class MemberAdmin(admin.ModelAdmin):
    list_display = ["user", "company", "role", "created_at"]
    list_filter = ["role", "company"]
    list_select_related = ["user", "company"]
    search_fields = ["user__email", "company__name"]
    autocomplete_fields = ["user", "company"]


class UserCreation(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ["email", "name"]
        field_classes: dict[str, Any] = {}

    def clean_email(self) -> str:
        return _new_email(self)


class UserChange(UserChangeForm):
    class Meta:
        model = User
        fields = "__all__"
        field_classes: dict[str, Any] = {}

    def clean_email(self) -> str:
        return _new_email(self)


def _new_email(form: Any) -> str:
    # People log in with any case; one form is kept.
    return form.cleaned_data["email"].strip().lower()


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    form = UserChange
    add_form = UserCreation
    ordering = ["email"]
    list_display = ["email", "name", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "is_staff", "is_superuser"]
    search_fields = ["email", "name"]
    date_hierarchy = "date_joined"
    readonly_fields = ["last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["email", "name", "password"]}),
        (_("Permissions"), {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        (_("Important dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "name", "usable_password", "password1", "password2"]})]


@admin.register(Bucket)
class BucketAdmin(ReadOnly, admin.ModelAdmin):
    """Deleting a bucket lets somebody try again at once."""

    list_display = ["key", "tokens", "updated_at"]
    search_fields = ["key"]
    show_full_result_count = False
    paginator = BoundedPaginator

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnly, admin.ModelAdmin):
    """What administrators did."""

    list_display = ["action_time", "user", "content_type", "object_repr", "action_flag"]
    list_filter = ["action_flag", "content_type"]
    list_select_related = ["user", "content_type"]
    search_fields = ["object_repr", "user__email"]
    date_hierarchy = "action_time"
    show_full_result_count = False
    paginator = BoundedPaginator
