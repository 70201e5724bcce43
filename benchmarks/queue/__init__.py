"""What a task costs, against bare Celery with late acknowledgement: `./run bench queue`."""
