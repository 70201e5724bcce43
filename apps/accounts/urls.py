"""HTTP of accounts: allauth's JSON endpoints for the single-page app, and its pages for staff."""

from django.urls import include, path

from framework.actor import anyone
from framework.web.urls import marked, timed_alike

# They look for an account, or do more when they find one.
SECRETIVE = ("login", "signup", "request_password_reset", "manage_email", "resend_email_verification_code")
SECRETIVE_PAGES = ("account_login", "account_signup", "account_reset_password", "account_email")

urlpatterns = [
    path("", marked(anyone, timed_alike(SECRETIVE, include("allauth.headless.urls")))),
    path("pages/", marked(anyone, timed_alike(SECRETIVE_PAGES, include("allauth.urls")))),
]
