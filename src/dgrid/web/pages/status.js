// Draws the status page from the gateway's public endpoints. Everything is put in as text, nothing as markup.
"use strict";

const REFRESH_MS = 2000;
const WEI_DECIMALS = 18;
const GOOD = new Set(["serving", "anchored", "claimable", "running"]);
const BAD = new Set(["ejected", "unreachable", "convicted"]);

const byId = (id) => document.getElementById(id);
const short = (hex) => (hex && hex.length > 14 ? `${hex.slice(0, 8)}…${hex.slice(-4)}` : hex || "–");

/** Wei as a decimal string of DGAI with at most `digits` decimals, without floating point. */
function dgai(wei, digits = 6) {
  const padded = String(wei ?? "0").padStart(WEI_DECIMALS + 1, "0");
  const fraction = padded.slice(-WEI_DECIMALS).slice(0, digits).replace(/0+$/, "");
  return padded.slice(0, -WEI_DECIMALS) + (fraction ? `.${fraction}` : "");
}

function cell(content, className = "") {
  const made = document.createElement("td");
  made.className = className;
  if (content instanceof Node) made.append(content);
  else made.textContent = content ?? "–";
  return made;
}

function hash(hex) {
  const made = cell(short(hex), "hash");
  made.title = hex || "";
  return made;
}

function state(name) {
  return cell(name, `state ${GOOD.has(name) ? "good" : BAD.has(name) ? "bad" : "warn"}`);
}

function command(text) {
  const made = document.createElement("code");
  made.textContent = text;
  return cell(made);
}

function fill(id, rows, emptyText) {
  const body = byId(id).tBodies[0];
  const made = rows.map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells);
    return row;
  });
  if (!made.length) {
    const row = document.createElement("tr");
    row.className = "empty";
    const only = cell(emptyText);
    only.colSpan = byId(id).tHead.rows[0].cells.length;
    row.append(only);
    made.push(row);
  }
  body.replaceChildren(...made);
}

async function read(path) {
  const reply = await fetch(path);
  if (!reply.ok) throw new Error(`${path}: ${reply.status}`);
  return reply.json();
}

function drawNodes({ nodes }) {
  const serving = nodes.filter((node) => node.state === "serving").length;
  byId("nodes-serving").textContent = serving;
  byId("nodes-all").textContent = `of ${nodes.length} registered`;
  fill("nodes", nodes.map((node) => [
    hash(node.address), cell(node.model), state(node.state),
    cell(node.latency_ms == null ? "–" : `${Math.round(node.latency_ms)} ms`, "number"),
    cell(node.in_flight ?? 0, "number"), cell(dgai(node.stake_wei, 2), "number"),
  ]), "no node is registered yet");
}

function drawModels({ data }) {
  const models = data.filter((model) => !model.id.startsWith("auto"));
  byId("models-count").textContent = models.length;
  fill("models", models.map((model) => [
    cell(model.id), cell(dgai(model.pricing?.in_price_wei), "number"), cell(dgai(model.pricing?.out_price_wei), "number"),
    cell(model.context_length ?? "–", "number"), cell(model.nodes ?? "–", "number"),
  ]), "no model is served yet");
}

function drawEpochs({ epochs }) {
  fill("epochs", epochs.map((epoch) => [
    cell(epoch.epoch, "number"), state(epoch.state), cell(epoch.count, "number"), cell(dgai(epoch.pot_wei), "number"),
    hash(epoch.records_root), command(`dgrid audit --epoch ${epoch.epoch}`),
  ]), "no epoch with receipts yet: ask something");
}

function drawReceipts({ receipts }) {
  fill("receipts", receipts.map((receipt) => [
    hash(receipt.id), cell(receipt.model), hash(receipt.node), cell(`${receipt.tokens_in} + ${receipt.tokens_out}`, "number"),
    cell(dgai(receipt.fee_wei), "number"), cell(receipt.epoch, "number"), state(receipt.state),
  ]), "no receipt yet");
}

function drawParameters(parameters) {
  byId("gateway").textContent = parameters.gateway;
  const { genesis_s: genesis, length_s: length } = parameters.epoch;
  const now = Math.floor(Date.now() / 1000);
  byId("epoch").textContent = Math.max(0, Math.floor((now - genesis) / length));
  byId("epoch-left").textContent = `closes in ${length - ((now - genesis) % length)} s`;
  byId("chain").textContent = parameters.chain_id;
  byId("chain-block").textContent = parameters.finalized_block == null ? " " : `finalized block ${parameters.finalized_block}`;
  const notice = byId("notice");
  notice.hidden = !parameters.degraded;
  notice.textContent = parameters.degraded
    ? "The chain cannot be reached: requests are served within finalized deposits, and settle when it is back." : "";
}

const PARTS = [
  ["/v1/network/parameters", drawParameters], ["/v1/network/nodes", drawNodes], ["/v1/models", drawModels],
  ["/v1/network/epochs?limit=10", drawEpochs], ["/v1/network/receipts?limit=20", drawReceipts],
];

async function refresh() {
  const done = await Promise.allSettled(PARTS.map(async ([path, draw]) => draw(await read(path))));
  const failed = done.find((part) => part.status === "rejected");
  if (failed) {
    byId("notice").hidden = false;
    byId("notice").textContent = `This gateway does not answer (${failed.reason.message}).`;
  }
  setTimeout(refresh, REFRESH_MS);
}

refresh();
