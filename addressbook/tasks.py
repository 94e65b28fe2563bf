from procrastinate.contrib.django import app

from addressbook.imports import run


@app.task(name=run.TASK, queue="addressbook")
def import_contacts() -> None:
    run.run_due()
