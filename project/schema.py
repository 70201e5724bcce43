"""The root schema: every domain's Query and Mutation, joined."""

from framework.graphql.schema import join

schema = join()
