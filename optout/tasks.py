from procrastinate.contrib.django import app

from optout import portal, replies
from optout.hooks import taking


@app.task(name="optout.read_replies", queue="optout")
def read_replies() -> None:
    replies.sweep_unread()


@app.task(name="optout.read_hooks", queue="optout")
def read_hooks() -> None:
    taking.sweep_waiting()


@app.task(name=portal.TASK, queue="optout")
def send_portal_codes() -> None:
    portal.send_waiting()
