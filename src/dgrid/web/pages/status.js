// Draws the status page from the gateway's public endpoints.

import { byId, cell, command, copied, fact, fill, hash, interval, link, made, number, read, state, table } from "./pieces.js";
import { counted, dgai, isWeb, millionths, milliseconds, originOf, percent, price, short } from "./values.js";

const REFRESH_MS = 2000;
const REASONS = 8;

/** The receipt behind a change: here, at the gateway that wrote it, or by its place alone. */
function receiptOf(change) {
  if (change.receipt) return link(short(change.receipt), `/status/receipts/${change.receipt}`);
  const place = `${change.epoch}.${change.lane}.${change.sequence}`;
  if (!isWeb(change.gateway_url)) return cell(`${place} at ${short(change.gateway)}`, "mono");
  return link(`${place} at ${short(change.gateway)}`, `${originOf(change.gateway_url)}/status/receipts/${place}`);
}

// --- nodes, and why each is believed what it is ---

const opened = new Set();

function opener(address) {
  const button = made("button", { class: "opener mono", "data-key": address, "aria-expanded": opened.has(address), title: address,
    text: short(address) });
  button.addEventListener("click", () => {
    if (!opened.delete(address)) opened.add(address);
    refreshPart(PARTS.nodes);
  });
  return made("td", {}, button);
}

function reasons(node, changes) {
  const facts = [["Address", node.address], ["Served at", node.endpoint], ["Region", node.region ?? "–"],
    ["Model", node.model ?? "–", "narrow"], ["State", node.state, "narrow"], ["Samples", node.samples, "narrow"],
    ["Latency", milliseconds(node.latency_ms), "narrow"], ["Earned here", `${dgai(node.earned_here_wei)} DGAI`, "narrow"],
    ["Stake", `${dgai(node.stake_wei, 0)} DGAI`, "narrow"], ["Delegated", `${dgai(node.delegated_wei, 0)} DGAI`],
    ["Paid out to it so far", `${dgai(node.paid_wei)} DGAI`]];
  const tasks = node.credibility.map((row) => [cell(row.task), interval(row, node.repute), number(row.samples)]);
  const moves = changes.map((one) => [number(one.round), cell(one.task), cell(one.cause), number(percent(one.score_bps)),
    number(millionths(one.weight_micros)), receiptOf(one)]);
  const inside = made("td", { colspan: byId("nodes").tHead.rows[0].cells.length }, made("dl", { class: "facts" }, ...facts.map(fact)));
  const kinds = [["Task"], ["Credibility"], ["Samples", "number"]];
  const titles = [["Round", "number side"], ["Task"], ["Cause"], ["Score", "number"], ["Weight", "number side"], ["Receipt"]];
  const told = moves.length ? table(titles, moves) : made("p", { class: "quiet", text: "none of its answers was judged lately" });
  inside.append(made("div", { class: "reasons" },
    ...(tasks.length ? [made("div", {}, made("h3", { text: "By kind of task" }), table(kinds, tasks))] : []),
    made("div", {}, made("h3", { text: "What moved it" }), told)));
  return made("tr", { class: "why" }, inside);
}

async function drawNodes({ nodes }) {
  const serving = nodes.filter((node) => node.state === "serving").length;
  const moved = (address) => read(`/v1/network/quality?limit=${REASONS}&node=${address}`).then((found) => [address, found.changes]);
  const changes = new Map(await Promise.all(nodes.map((node) => node.address).filter((one) => opened.has(one)).map(moved)));
  byId("nodes-serving").textContent = serving;
  byId("nodes-all").textContent = `of ${nodes.length} registered`;
  fill("nodes", nodes.flatMap((node) => {
    const row = [opener(node.address), cell(node.model), state(node.state), interval(node, node.repute ?? "new"),
      number(node.samples), number(percent(node.traffic_share_bps)), number(milliseconds(node.latency_ms)),
      number(dgai(node.earned_here_wei)), number(dgai(node.stake_wei, 0))];
    return changes.has(node.address) ? [row, reasons(node, changes.get(node.address))] : [row];
  }), "no node is registered yet");
}

// --- the other parts ---

function drawEvaluators({ evaluators }) {
  fill("evaluators", evaluators.map((one) => [
    hash(one.address), state(one.active ? "active" : "inactive"), number(one.tasks), number(millionths(one.balance_micros)),
    number(one.missed), number(one.rounds_withheld ? `${one.rounds_opened}, ${one.rounds_withheld} withheld` : one.rounds_opened),
    number(dgai(one.earned_wei, 4)), number(dgai(one.stake_wei, 0)),
  ]), "no evaluator is registered yet");
}

function drawQuality({ latest, rounds, changes, canaries_opened: canaries }) {
  byId("round").textContent = latest ? latest.round : "–";
  byId("round-about").textContent = latest ? `${counted(latest.nodes, "node")} judged so far` : "nothing judged yet";
  fill("changes", changes.map((change) => [
    number(change.round), hash(change.node), cell(change.model), cell(change.task), cell(change.cause),
    number(percent(change.score_bps)), number(millionths(change.weight_micros)), receiptOf(change),
  ]), "nothing was judged lately");
  fill("rounds", rounds.map((round) => [
    number(round.round), cell(new Date(round.posted_at_ms).toLocaleTimeString()), hash(round.credibility_root),
    number(dgai(round.payouts_total_wei)),
  ]), "no round has been judged yet");
  fill("canaries", canaries.map((one) => [
    number(one.epoch), hash(one.author), hash(one.gateway), hash(one.blob_id),
  ]), "no canary has been opened yet");
}

function drawModels({ data }) {
  const models = data.filter((model) => !model.id.startsWith("auto"));
  byId("models-count").textContent = models.length;
  byId("models-judged").textContent = `${models.filter((model) => model.quality?.samples).length} judged`;
  fill("models", models.map(({ id, quality, pricing, context_length: context, nodes }) => [
    cell(id), interval({ ...quality, credibility_bps: quality?.judged_bps }), number(quality?.samples ?? 0),
    number(price(pricing?.in_price_wei)), number(price(pricing?.out_price_wei)), number(context), number(nodes),
  ]), "no model is served yet");
}

function drawEpochs({ epochs }) {
  fill("epochs", epochs.map((epoch) => [
    number(epoch.epoch), state(epoch.state), number(epoch.count), number(dgai(epoch.pot_wei)), hash(epoch.records_root),
    command(`dgrid audit --epoch ${epoch.epoch}`),
  ]), "no epoch with receipts yet: ask something");
}

function drawReceipts({ receipts }) {
  fill("receipts", receipts.map((one) => [
    link(short(one.id), `/status/receipts/${one.id}`), cell(new Date(one.served_at_ms).toLocaleTimeString()), cell(one.model),
    hash(one.node), number(`${one.tokens_in} + ${one.tokens_out}`),
    number(dgai(one.fee_wei)), number(one.epoch), state(one.state),
  ]), "no receipt yet");
}

function drawParameters(parameters) {
  byId("gateway").textContent = parameters.gateway;
  if (!byId("base-url").firstElementChild) byId("base-url").replaceChildren(copied(`${location.origin}/v1`));
  const { genesis_s: genesis, length_s: length } = parameters.epoch;
  const now = Math.floor(Date.now() / 1000);
  byId("epoch").textContent = Math.max(0, Math.floor((now - genesis) / length));
  byId("epoch-left").textContent = `closes in ${length - ((now - genesis) % length)} s`;
  byId("chain").textContent = parameters.chain_id;
  byId("chain-block").textContent = parameters.finalized_block == null ? " " : `final to block ${parameters.finalized_block}`;
  const notice = byId("notice");
  notice.hidden = !parameters.degraded;
  notice.textContent = parameters.degraded
    ? "The chain cannot be reached: requests are served within finalized deposits, and settle when it is back." : "";
}

// --- again and again ---

const PARTS = {
  parameters: ["/v1/network/parameters", drawParameters],
  nodes: ["/v1/network/nodes", drawNodes],
  models: ["/v1/models", drawModels],
  evaluators: ["/v1/network/evaluators", drawEvaluators],
  quality: ["/v1/network/quality?limit=12", drawQuality],
  epochs: ["/v1/network/epochs?limit=10", drawEpochs],
  receipts: ["/v1/network/receipts?limit=12", drawReceipts],
};

const refreshPart = async ([path, draw]) => draw(await read(path));

async function refresh() {
  const done = await Promise.allSettled(Object.values(PARTS).map(refreshPart));
  const failed = done.find((part) => part.status === "rejected");
  if (failed) {
    byId("notice").hidden = false;
    byId("notice").textContent = `This gateway does not answer (${failed.reason.message}).`;
  }
  setTimeout(refresh, REFRESH_MS);
}

refresh();
