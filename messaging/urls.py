from django.urls import path

from messaging.views import gateways, senders

app_name = "messaging"
urlpatterns = [
    path("settings/senders", senders.senders, name="senders"),
    path("settings/senders/<int:pk>/remove", senders.sender_remove, name="sender-remove"),
    path("settings/gateways", gateways.gateways, name="gateways"),
    path("settings/gateways/new", gateways.gateway_add, name="gateway-add"),
    path("settings/gateways/<int:pk>", gateways.gateway, name="gateway"),
    path("settings/gateways/<int:pk>/test", gateways.gateway_test, name="gateway-test"),
    path("settings/gateways/<int:pk>/tests", gateways.gateway_tests, name="gateway-tests"),
    path("settings/gateways/<int:pk>/default", gateways.gateway_default, name="gateway-default"),
    path("settings/gateways/<int:pk>/switch", gateways.gateway_switch, name="gateway-switch"),
    path("settings/gateways/<int:pk>/remove", gateways.gateway_remove, name="gateway-remove"),
    path("settings/routes/<int:pk>/remove", gateways.route_remove, name="route-remove"),
]
