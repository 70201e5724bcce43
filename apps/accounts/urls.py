"""HTTP of accounts: allauth's JSON endpoints for the single-page app, and its pages for staff."""

from django.urls import include, path

from framework.actor import anyone
from framework.web.urls import marked

urlpatterns = [
    path("", marked(anyone, include("allauth.headless.urls"))),
    path("pages/", marked(anyone, include("allauth.urls"))),
]
