from django.contrib import admin
from django.urls import path

from framework.graphql.schema import join
from framework.graphql.view import GraphQLView

graphql = GraphQLView(join().graphql_schema)
urlpatterns = [path("graphql", graphql), path("graphql/", graphql), path("admin/", admin.site.urls)]
