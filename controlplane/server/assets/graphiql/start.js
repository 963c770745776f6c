// Starts GraphiQL with a fetcher of our own: queries over HTTP, subscriptions over
// graphql-transport-ws. The token comes from the header editor, else from the console's sign-in.

const EXAMPLE = `# Put your token into the Headers tab: {"Authorization": "Bearer …"}
# (if you have signed in to the console in this window, it is there already).
{
  viewer { name kind }
  machines(first: 20) {
    nodes { hostname state waitReason actions }
  }
}
`;

const signedIn = sessionStorage.getItem("ironherd-token");
const initialHeaders = signedIn ? JSON.stringify({ Authorization: `Bearer ${signedIn}` }) : "";

function isSubscription(request, options) {
  const operations = (options?.documentAST?.definitions ?? []).filter(
    (definition) => definition.kind === "OperationDefinition",
  );
  const named = operations.find(({ name }) => name?.value === request.operationName);
  return (named ?? operations[0])?.operation === "subscription";
}

async function post(request, headers) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: {
      Accept: "application/graphql-response+json, application/json",
      "Content-Type": "application/json",
      ...headers,
    },
    body: JSON.stringify(request),
  });
  return response.json();
}

// One socket a subscription: it ends when GraphiQL stops reading.
async function* subscribe(request, headers) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/graphql/ws`, "graphql-transport-ws");
  const arrived = [];
  let wake = () => {};
  const push = (item) => {
    arrived.push(item);
    wake();
  };
  const send = (message) => socket.send(JSON.stringify(message));
  socket.onopen = () => send({ type: "connection_init", payload: headers ?? {} });
  socket.onclose = ({ code, reason }) => push({ closed: `${reason || "connection closed"} (${code})` });
  socket.onmessage = ({ data }) => {
    const { type, payload } = JSON.parse(data);
    if (type === "connection_ack") send({ type: "subscribe", id: "1", payload: request });
    else if (type === "ping") send({ type: "pong" });
    else if (type === "next") push({ value: payload });
    else if (type === "error") push({ value: { errors: payload }, last: true });
    else if (type === "complete") push({ last: true });
  };
  try {
    for (;;) {
      while (arrived.length === 0) await new Promise((resolve) => { wake = resolve; });
      const { value, last, closed } = arrived.shift();
      if (closed) throw new Error(closed);
      if (value) yield value;
      if (last) return;
    }
  } finally {
    socket.onclose = null;
    socket.close(1000);
  }
}

function fetcher(request, options) {
  const headers = options?.headers ?? {};
  return isSubscription(request, options) ? subscribe(request, headers) : post(request, headers);
}

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, {
    fetcher,
    defaultQuery: EXAMPLE,
    initialHeaders,
    isHeadersEditorEnabled: true,
    shouldPersistHeaders: false,
  }),
);
