"""Which place lacks a field that the others have, and why."""

LEFT_OUT = {
    "entity Order.key": "forgotten after a day",
    "entity Order.fingerprint": "tells the repository whether a key was used for another order",
    "entity Order.expected_total": "needed until the order is placed or rejected",
    "entity Order.expected_currency": "needed until the order is placed or rejected",
    "entity OrderLine.id": "a line is known by its product",
    "entity OrderLine.order_id": "lines are asked for by order",
    "model OrderLine.currency": "it is the order's",
}
