from procrastinate.contrib.django import app

from addressbook import grouping, telling
from addressbook.imports import run


@app.task(name=run.TASK, queue="addressbook")
def import_contacts() -> None:
    run.run_due()


@app.task(name=grouping.TASK, queue="addressbook")
def change_groups() -> None:
    grouping.run_due()


@app.task(name=telling.TASK, queue="addressbook")
def tell_providers() -> None:
    telling.run_due()
