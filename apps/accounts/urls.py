"""HTTP of accounts: allauth's JSON endpoints for the single-page app, and its pages for staff."""

from django.urls import include, path

urlpatterns = [
    path("", include("allauth.headless.urls")),
    path("pages/", include("allauth.urls")),
]
