from django.conf import settings
from django.contrib import admin
from django.urls import path

from framework.graphql.view import GraphQLView
from framework.web import mailbox, start, urls
from project.schema import schema

admin.site.site_header = admin.site.site_title = settings.PROJECT_NAME

graphql = GraphQLView(schema.graphql_schema)

urlpatterns = [
    path("", start.start),
    path("graphql", graphql),
    path("graphql/", graphql),
    *urls.join(),
    path("admin/", admin.site.urls),
    *(mailbox.urlpatterns if settings.DEBUG else []),
]
