from procrastinate.contrib.django import app

from optout import replies


@app.task(name="optout.read_replies", queue="optout")
def read_replies() -> None:
    replies.sweep_unread()
