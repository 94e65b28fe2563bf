from procrastinate.contrib.django import app

from accounts import password_mail


@app.task(name="accounts.send_password_mail", queue="accounts")
def send_password_mail(email: str) -> None:
    password_mail.send(email)
