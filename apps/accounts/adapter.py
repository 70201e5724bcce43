"""What this project decides where allauth asks."""

from ipaddress import ip_address
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.headless.adapter import DefaultHeadlessAdapter
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from apps.accounts import tasks


class Adapter(DefaultAccountAdapter):
    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that limits count by: an IPv6 network of /64 is one client."""
        address = ip_address(super().get_client_ip(request))
        return str(address) if address.version == 4 else str(ip_address(int(address) >> 64 << 64))

    def clean_password(self, password: str, user: Any = None) -> str:
        if not password.strip():
            raise ValidationError("Spaces alone are no password.")
        cleaned: str = super().clean_password(password, user)
        return cleaned

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """By the queue, so that the answer takes as long whether or not there is something to send."""
        message = self.render_mail(template_prefix, email, {"email": email} | context)
        tasks.send_mail.delay(message.subject, message.body, [email])


class HeadlessAdapter(DefaultHeadlessAdapter):
    def serialize_user(self, user: Any) -> dict[str, Any]:
        """With the id as text: JavaScript has no integers of 64 bits."""
        shown: dict[str, Any] = super().serialize_user(user)
        return shown | {"id": str(user.pk)}
