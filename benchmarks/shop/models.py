from django.db import models


class Owner(models.Model):
    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Item(models.Model):
    owner = models.ForeignKey(Owner, models.PROTECT)
    sku = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    price = models.DecimalField(max_digits=12, decimal_places=2)

    def __str__(self) -> str:
        return self.name


class Order(models.Model):
    number = models.CharField(max_length=20)
    placed_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.number


class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    item = models.ForeignKey(Item, models.PROTECT)
    quantity = models.IntegerField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.quantity} of {self.item_id}"


class Note(models.Model):
    title = models.CharField(max_length=200)
    text = models.TextField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.title
