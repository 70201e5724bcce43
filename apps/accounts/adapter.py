"""What this project decides where allauth asks."""

import json
from ipaddress import ip_address
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.headless.adapter import DefaultHeadlessAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from apps.accounts import repository, tasks

UNKNOWN = "account/email/unknown_account"


class Adapter(DefaultAccountAdapter):
    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that limits count by: an IPv6 network of /64 is one client."""
        address = ip_address(super().get_client_ip(request))
        return str(address) if address.version == 4 else str(ip_address(int(address) >> 64 << 64))

    def clean_password(self, password: str, user: Any = None) -> str:
        if not password.strip():
            raise ValidationError("Spaces alone are no password.")
        cleaned: str = super().clean_password(password, user)
        if user and user.password and self._is_old(user, cleaned):
            raise ValidationError("This is the password already.")
        return cleaned

    def _is_old(self, user: Any, password: str) -> bool:
        """A change sends the old password, too, which spares hashing the new one to compare them."""
        request = self.request
        sent = json.loads(request.body) if request.content_type == "application/json" else request.POST
        old = sent.get("current_password") or sent.get("oldpassword")
        return bool(old == password if old else user.check_password(password))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """By the queue, so that the answer takes as long whether or not there is something to send.

        A stranger's address is queued for as well, and gets no mail.
        """
        subject, text = self.text_of(template_prefix, email, context)
        tasks.send_mail.delay(subject, text, [] if template_prefix == UNKNOWN else [email])

    def text_of(self, template_prefix: str, email: str, context: dict[str, Any]) -> tuple[str, str]:
        """Subject and text of one of the engine's mails."""
        values = {"email": email, "project": settings.PROJECT_NAME} | context
        message = self.render_mail(template_prefix, email, values)
        return message.subject, message.body

    def send_account_already_exists_mail(self, email: str) -> None:
        make_password("as long as that of the account which is not made")
        super().send_account_already_exists_mail(email)

    def confirm_email(self, request: HttpRequest, email_address: Any) -> bool:
        repository.forget_unverified(email_address.email, but=email_address.user_id)
        confirmed: bool = super().confirm_email(request, email_address)
        return confirmed


class SocialAdapter(DefaultSocialAccountAdapter):
    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """An address that the provider has verified is nobody's who has not."""
        for address in sociallogin.email_addresses:
            if address.verified:
                repository.forget_unverified(address.email)


class HeadlessAdapter(DefaultHeadlessAdapter):
    def serialize_user(self, user: Any) -> dict[str, Any]:
        """With the id as text: JavaScript has no integers of 64 bits."""
        shown: dict[str, Any] = super().serialize_user(user)
        return shown | {"id": str(user.pk)}
