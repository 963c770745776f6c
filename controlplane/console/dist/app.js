// The first page of the console: every machine, live. It speaks GraphQL and nothing else.

const STAGES = ["DHCP", "TFTP", "HTTP", "SCRIPT", "AGENT", "INSTALLED"];
const EVENTS_SHOWN = 100;
const RECONNECT_MS_MAX = 10_000;

const MACHINE = `
  fragment MachineRow on Machine {
    id hostname state stateSince waitReason failure owner architecture firmware address bootStage
    macAddresses
    power { protocol state error }
    progress { step percent bytesDone bytesTotal message }
    hardware { cpuModel cpuThreads memoryBytes disks { sizeBytes } }
  }`;
const LIST = `${MACHINE}
  query ConsoleMachines($after: String) {
    machines(first: 200, after: $after) {
      nodes { ...MachineRow }
      pageInfo { hasNextPage endCursor }
    }
  }`;
const CHANGES = `${MACHINE}
  subscription ConsoleChanges($after: Long) {
    machineChanges(after: $after) {
      sequence machineId
      machine { ...MachineRow }
      event { id at kind message }
    }
  }`;

const element = (id) => document.getElementById(id);
const machines = new Map();
let sequence = null;
let socket = null;
let retryMs = 500;

const token = () => sessionStorage.getItem("ironherd-token");

async function query(document_, variables) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token()}` },
    body: JSON.stringify({ query: document_, variables }),
  });
  if (response.status === 401) throw new SignedOut("The token was not accepted.");
  const { data, errors } = await response.json();
  if (errors?.length) throw new Error(errors[0].message);
  return data;
}

class SignedOut extends Error {}

async function loadAll() {
  machines.clear();
  for (let after = null; ; ) {
    const { machines: page } = await query(LIST, { after });
    for (const machine of page.nodes) machines.set(machine.id, machine);
    if (!page.pageInfo.hasNextPage) break;
    after = page.pageInfo.endCursor;
  }
}

// graphql-transport-ws, one subscription. After a cut it goes on from the last sequence seen.
function listen() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/graphql/ws`, "graphql-transport-ws");
  const send = (message) => socket.send(JSON.stringify(message));
  socket.onopen = () =>
    send({ type: "connection_init", payload: { Authorization: `Bearer ${token()}` } });
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    switch (message.type) {
      case "connection_ack":
        retryMs = 500;
        connection("live");
        send({ id: "1", type: "subscribe", payload: { query: CHANGES, variables: { after: sequence } } });
        break;
      case "ping":
        send({ type: "pong" });
        break;
      case "next":
        if (message.payload.data) change(message.payload.data.machineChanges);
        break;
    }
  };
  socket.onclose = () => {
    if (!token()) return;
    connection("lost");
    setTimeout(start, retryMs);
    retryMs = Math.min(retryMs * 2, RECONNECT_MS_MAX);
  };
}

function change({ sequence: seen, machineId, machine, event }) {
  sequence = seen;
  if (machine) machines.set(machine.id, machine);
  else machines.delete(machineId);
  if (event) addEvent(event, machine);
  draw();
}

function connection(state) {
  element("connection").dataset.state = state;
  element("connection").textContent = { live: "live", lost: "connection lost, retrying" }[state] ?? state;
}

function tone(state) {
  if (state.startsWith("FAILED") || state === "BROKEN") return "bad";
  if (state.endsWith("ING")) return "busy";
  if (state === "READY" || state === "DEPLOYED") return "good";
  return "";
}

const words = (name) => name.toLowerCase().replaceAll("_", " ");

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; 1024 <= count && unit < units.length - 1; unit += 1) count /= 1024;
  return `${count.toFixed(count < 10 && 0 < unit ? 1 : 0)} ${units[unit]}`;
}

function node(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function pill(state, count) {
  const label = count === undefined ? words(state) : `${words(state)} ${count}`;
  return node("span", { class: "pill", "data-tone": tone(state) }, label);
}

function progressCell(machine) {
  const { progress } = machine;
  if (!progress || !machine.state.endsWith("ING")) return node("td");
  const share = progress.bytesTotal ? (100 * progress.bytesDone) / progress.bytesTotal : progress.percent;
  const bar = node("progress", { max: 100, value: share, "aria-label": progress.step });
  const detail = progress.bytesTotal
    ? `${bytes(progress.bytesDone)} of ${bytes(progress.bytesTotal)}`
    : progress.message;
  return node("td", {}, progress.step, node("br"), bar, detail && node("small", {}, detail));
}

function row(machine) {
  const reached = STAGES.indexOf(machine.bootStage);
  const stages = STAGES.map((stage, at) =>
    node("i", { title: stage, "data-done": at <= reached ? "" : null }));
  const { hardware, power } = machine;
  const disks = hardware?.disks.reduce((sum, disk) => sum + disk.sizeBytes, 0);
  const reason = machine.failure ?? machine.waitReason;
  return node("tr", {},
    node("th", { scope: "row" }, machine.hostname,
      node("small", { class: "quiet" }, [machine.architecture, machine.firmware].filter(Boolean).join(" · "))),
    node("td", {}, pill(machine.state), reason && node("small", {}, reason)),
    node("td", {}, machine.bootStage ? words(machine.bootStage) : "–", node("div", { class: "stages" }, ...stages)),
    progressCell(machine),
    node("td", {}, node("span", { class: "power", "data-state": power.state }, words(power.state)),
      node("small", {}, power.error ?? power.protocol)),
    node("td", {}, machine.address ?? "–", node("small", {}, machine.macAddresses.join(", "))),
    node("td", {}, hardware ? `${hardware.cpuThreads} CPU, ${bytes(hardware.memoryBytes)}` : "–",
      hardware && node("small", {}, `${hardware.disks.length} disks, ${bytes(disks)}`)));
}

let drawing = false;
function draw() {
  if (drawing) return; // Many changes within one frame are drawn once.
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const sorted = [...machines.values()].sort((a, b) => a.hostname.localeCompare(b.hostname));
    element("rows").replaceChildren(...sorted.map(row));
    const counts = Map.groupBy(sorted, (machine) => machine.state);
    element("counts").replaceChildren(...[...counts].map(([state, of]) => pill(state, of.length)));
    element("empty").hidden = sorted.length !== 0;
  });
}

function addEvent(event, machine) {
  const at = new Date(event.at);
  const line = node("li", {},
    node("time", { datetime: event.at }, at.toLocaleTimeString()),
    node("b", {}, machine?.hostname ?? ""),
    node("span", {}, event.message));
  element("events").prepend(line);
  while (EVENTS_SHOWN < element("events").children.length) element("events").lastChild.remove();
}

function show(signedIn) {
  element("sign-in").hidden = signedIn;
  for (const id of ["machines", "feed", "sign-out"]) element(id).hidden = !signedIn;
}

async function start() {
  if (!token()) {
    show(false);
    connection("signed out");
    return;
  }
  try {
    await loadAll();
    show(true);
    draw();
    listen();
  } catch (error) {
    if (error instanceof SignedOut) {
      signOut(error.message);
    } else {
      connection("lost");
      setTimeout(start, retryMs);
      retryMs = Math.min(retryMs * 2, RECONNECT_MS_MAX);
    }
  }
}

function signOut(message = "") {
  sessionStorage.removeItem("ironherd-token");
  socket?.close();
  show(false);
  connection("signed out");
  element("sign-in-error").textContent = message;
}

// The link that `ironherd up` prints carries its one-time token behind `#`: that part of an
// address never reaches a server or its logs.
async function redeemSetupToken() {
  const once = new URLSearchParams(location.hash.slice(1)).get("setup");
  if (!once) return;
  history.replaceState(null, "", location.pathname);
  const response = await fetch("/setup", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token: once }),
  });
  const answer = await response.json().catch(() => ({}));
  if (answer.token) sessionStorage.setItem("ironherd-token", answer.token);
  else element("sign-in-error").textContent = answer.message ?? "The setup link was used already.";
}

element("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("ironherd-token", element("token").value.trim());
  element("token").value = "";
  element("sign-in-error").textContent = "";
  start();
});
element("sign-out").addEventListener("click", () => signOut());
await redeemSetupToken();
start();
