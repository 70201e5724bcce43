"""A schema as a shop would have it, for the tests of this package."""

from graphql import build_schema

SCHEMA = build_schema("""
    type Query {
      products(first: Int, last: Int, after: String, search: String): ProductConnection
      newest(first: Int = 20): [Product!]!
      product(id: ID!): Product
      me: User
    }
    type Mutation { rename(id: ID!, name: String!): Product }
    type ProductConnection { edges: [ProductEdge!]!, nodes: [Product!]!, pageInfo: PageInfo!, totalCount: Int }
    type PageInfo { hasNextPage: Boolean!, endCursor: String }
    type ProductEdge { node: Product!, cursor: String! }
    type Product {
      id: ID!, sku: String!, name: String!, price: String, stock: Int, weight: Int, tags: [String!]
      variants: [Product!]!
      related(first: Int): ProductConnection
    }
    type User { id: ID!, email: String }
""")
