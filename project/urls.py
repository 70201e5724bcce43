from django.conf import settings
from django.contrib import admin
from django.urls import path

from project.graphql.view import graphql_view

admin.site.site_header = admin.site.site_title = settings.PROJECT_NAME

urlpatterns = [
    path("graphql", graphql_view),
    path("graphql/", graphql_view),
    path("admin/", admin.site.urls),
]
