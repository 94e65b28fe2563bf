from procrastinate.contrib.django import app

from campaigns import dispatch


@app.task(name="campaigns.send_marketing", queue="campaigns")
def send_marketing() -> None:
    dispatch.send_due(category="marketing")


@app.task(name="campaigns.send_transactional", queue="campaigns")
def send_transactional() -> None:
    dispatch.send_due(category="transactional")
