from procrastinate.contrib.django import app

from campaigns import dispatch


@app.task(name="campaigns.send_marketing", queue="campaigns")
def send_marketing() -> None:
    dispatch.send_due(category="marketing")


@app.task(name="campaigns.send_transactional", queue="campaigns")
def send_transactional() -> None:
    dispatch.send_due(category="transactional")


@app.task(name="campaigns.build_audience", queue="campaigns")
def build_audience(company_id: int, campaign_id: int) -> None:
    """A second pair of hands for a big audience."""
    dispatch.build_one(company_id=company_id, campaign_id=campaign_id)
