// Draws the status page from the gateway's public endpoints. Everything is put in as text, nothing as markup.
"use strict";

const REFRESH_MS = 2000;
const WEI_DECIMALS = 18;
const GOOD = new Set(["serving", "anchored", "claimable", "running", "active"]);
const BAD = new Set(["ejected", "unreachable", "convicted"]);
const SVG = "http://www.w3.org/2000/svg";
const BAR_WIDTH = 110;
const BAR_HEIGHT = 10;

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

const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
const percent = (bps) => (bps == null ? "–" : `${(bps / 100).toFixed(bps < 1000 ? 1 : 0)} %`);

function drawn(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** An interval as a bar from 0 to 100 %, its mean as a mark; what nobody has judged yet as an empty one. */
function interval({ credibility_bps: mean, low_bps: low, high_bps: high }, repute = "proven") {
  const x = (bps) => (bps / 10000) * BAR_WIDTH;
  const text = mean == null ? "not judged yet" : `${percent(mean)}, between ${percent(low)} and ${percent(high)}`;
  const bar = drawn("svg", { class: `bar ${repute}`, width: BAR_WIDTH, height: BAR_HEIGHT, role: "img", "aria-label": text },
    drawn("rect", { class: "track", width: BAR_WIDTH, height: BAR_HEIGHT, rx: 3 }));
  if (mean != null) {
    bar.append(drawn("rect", { class: "range", x: x(low), width: Math.max(2, x(high) - x(low)), height: BAR_HEIGHT, rx: 3 }),
      drawn("rect", { class: "mark", x: Math.min(BAR_WIDTH - 2, x(mean)), width: 2, height: BAR_HEIGHT }));
  }
  const label = document.createElement("span");
  label.textContent = mean == null ? "–" : percent(mean);
  const made = cell(bar);
  made.append(label);
  made.title = repute === "doubtful" ? `${text}: below its peers, so it gets next to nothing` : text;
  return made;
}

function link(text, href) {
  const made = document.createElement("a");
  made.textContent = text;
  made.href = href;
  return cell(made, "mono");
}

/** The receipt behind a change: here, at the gateway that wrote it, or by its place alone. */
function why(change) {
  const place = `${change.epoch}/${change.lane}/${change.sequence}`;
  if (change.receipt) return link(short(change.receipt), `/v1/receipts/${change.receipt}`);
  return cell(`${place} at ${short(change.gateway)}`, "mono");
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
    hash(node.address), cell(node.model), state(node.state), interval(node, node.repute ?? "new"),
    cell(node.samples, "number"), cell(percent(node.traffic_share_bps), "number"),
    cell(node.latency_ms == null ? "–" : `${Math.round(node.latency_ms)} ms`, "number"),
    cell(dgai(node.earned_here_wei), "number"), cell(dgai(node.stake_wei, 2), "number"),
  ]), "no node is registered yet");
}

function drawEvaluators({ evaluators }) {
  fill("evaluators", evaluators.map((one) => [
    hash(one.address), state(one.active ? "active" : "inactive"), cell(one.tasks, "number"),
    cell((one.balance_micros / 1e6).toFixed(2), "number"), cell(one.missed, "number"),
    cell(one.rounds_withheld ? `${one.rounds_opened}, ${one.rounds_withheld} withheld` : one.rounds_opened, "number"),
    cell(dgai(one.earned_wei), "number"), cell(dgai(one.stake_wei, 2), "number"),
  ]), "no evaluator is registered yet");
}

function drawQuality({ latest, rounds, changes, canaries_opened: canaries }) {
  byId("round").textContent = latest ? latest.round : "–";
  byId("round-about").textContent = latest ? `${counted(latest.changes, "finding")}; ${counted(latest.nodes, "node")} judged so far` : "nothing judged yet";
  fill("changes", changes.map((change) => [
    hash(change.node), cell(change.model), cell(change.task), cell(change.cause), cell(percent(change.score_bps), "number"),
    cell((change.weight_micros / 1e6).toFixed(2), "number"), why(change),
  ]), "nothing was judged in the latest round");
  fill("rounds", rounds.map((round) => [
    cell(round.round, "number"), cell(new Date(round.posted_at_ms).toLocaleTimeString()), hash(round.credibility_root),
    hash(round.blob_id), cell(dgai(round.payouts_total_wei), "number"),
  ]), "no round has been judged yet");
  fill("canaries", canaries.map((one) => [
    cell(one.epoch, "number"), hash(one.author), hash(one.gateway), hash(one.blob_id),
  ]), "no canary has been opened yet");
}

function drawModels({ data }) {
  const models = data.filter((model) => !model.id.startsWith("auto"));
  byId("models-count").textContent = models.length;
  fill("models", models.map((model) => [
    cell(model.id), interval({ ...model.quality, credibility_bps: model.quality?.judged_bps }), cell(model.quality?.samples ?? 0, "number"),
    cell(dgai(model.pricing?.in_price_wei), "number"), cell(dgai(model.pricing?.out_price_wei), "number"),
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
  ["/v1/network/evaluators", drawEvaluators], ["/v1/network/quality?limit=12", drawQuality],
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
