// Starts GraphiQL against the page's own URL, as the page's own user.
const root = document.getElementById("graphiql");

async function fetcher(parameters) {
  const response = await fetch(root.dataset.endpoint, {
    method: "POST",
    headers: {
      Accept: "application/graphql-response+json, application/json",
      "Content-Type": "application/json",
      "X-CSRFToken": root.dataset.csrfToken,
    },
    body: JSON.stringify(parameters),
  });
  return response.json();
}

// A link to a query: /graphql#query={me{id}}
const linked = new URLSearchParams(window.location.hash.slice(1)).get("query");

ReactDOM.render(
  React.createElement(GraphiQL, {
    fetcher,
    defaultQuery: root.dataset.defaultQuery,
    query: linked ?? undefined,
  }),
  root,
);
