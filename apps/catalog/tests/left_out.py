"""Which place lacks a field that the others have, and why."""

LEFT_OUT = {
    "entity Product.edited_version": "decides in the repository whether an edit is stale",
    "entity Reservation.created_at": "decides when a reservation is forgotten",
    "entity Reservation.id": "a reservation is known by its key",
    "model Reservation.lines": "a table of their own",
    "demo Product.currency": "a shop has one",
    "demo Product.is_active": "archived products would not be seen",
}
