from procrastinate.contrib.django import app

from webhooks import deliveries, notice


@app.task(name="webhooks.deliver", queue="webhooks")
def deliver() -> None:
    deliveries.run()


@app.task(name="webhooks.say_switched_off", queue="webhooks")
def say_switched_off(company_id: int, endpoint_id: int) -> None:
    notice.send(company_id=company_id, endpoint_id=endpoint_id)
