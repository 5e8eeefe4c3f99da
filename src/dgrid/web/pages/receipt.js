// Draws one receipt in plain words from the gateway's public endpoints. It shows no content, and checks no signature.

import { NotRead, bar, byId, cell, copied, drawn, fact, fill, hash, interval, made, number, read } from "./pieces.js";
import {
  between, counted, decimalsOf, dgai, grouped, isWeb, millionths, milliseconds, originOf, percent, price, short,
} from "./values.js";

const AGAIN_MS = 4000;
const PER_PRICE = 1_000_000n;
const SPLIT_WIDTH = 400;
const SPLIT_HEIGHT = 22;
const OTHERS = 100; // changes that are looked through for other gateways
const TOO_EARLY = 425;
const SHOWN = 1; // the last of the privacies that let a committee read
const SHARED = 4 | 8; // flags: no node worked for it alone
const SETTLED_MS = 600_000; // after its root: what is not known of a judged one by then is known no more

const PRIVACY = [
  "Who asked lets its judges read what was said, should it be drawn.",
  "Who asked lets anybody read what was said, should it be drawn.",
  "Who asked lets nobody else read what was said.",
  "What was said is sealed.",
];
const FLAGS = [
  [1, "It broke off: what had arrived was billed."],
  [2, "Several nodes wrote it, one after the other."],
  [4, "It was answered before, and came from the cache."],
  [8, "It supported another request."],
  [16, "The gateway cannot count this model's tokens: the node's count stands."],
];
const CHECKS = {
  signature: "the node signed it",
  output: "its text is the one that the node signed",
  evidence: "the node's tokens and log-probabilities are those it signed",
  model: "the node sent the model that was asked for",
  count: "the gateway counted the tokens itself",
  format: "it has the shape that was asked for",
};
const PARTS = [
  ["node", "The node", "which wrote the answer"],
  ["listing", "The model's creator", "by the listing"],
  ["protocol", "The protocol", "out of the node's price"],
  ["gateway", "The gateway", "its margin on top"],
];
const CAUSES = {
  canary: "It was a question with a known answer (canary), and scored",
  judgement: "Its judges together scored it",
  identity: "Read with the claimed model, it scored",
};

const SCORES = ["accuracy_bps", "consistency_bps", "format_bps", "cost_bps"];
const VERDICTS = {
  undisclosed: "was not shown the answer in time",
  altered: "was shown another answer than was signed",
};

const name = decodeURIComponent(location.pathname.split("/").pop());
const moment = (ms) => new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
const strong = (text) => made("strong", { text });
const hexed = (hex) => made("span", { class: "mono", title: hex, text: short(hex) });
const whole = (text) => made("span", { class: "mono", text });
const bpsOf = (wei, of) => (of === "0" ? 0 : Number((BigInt(wei) * 10000n) / BigInt(of)));

const mayBeDrawn = ({ privacy, flags }) => privacy <= SHOWN && !(flags & SHARED);

function isFinal({ judging, findings, anchor }) {
  const known = findings.length > 0 || Date.now() - anchor?.anchored_at_ms > SETTLED_MS;
  return judging === "not drawn" || (judging === "judged" && known);
}

// --- what it says ---

function drawStory({ model, receipt: { usage, shares } }) {
  const notes = FLAGS.filter(([bit]) => usage.flags & bit).map(([, text]) => text);
  const first = usage.ttftMs < usage.totalMs ? `, the first word after ${milliseconds(usage.ttftMs)}` : "";
  byId("story").replaceChildren(
    `On ${moment(usage.servedAt)} somebody asked `, strong(model),
    ", and got ", strong(counted(usage.tokensOut, "token")), ` in ${milliseconds(usage.totalMs)}${first}`,
    ", for ", strong(`${price(shares.fee, 18)} DGAI`), ". ",
    [...notes, PRIVACY[usage.privacy], "This page never shows it."].join(" "));
}

/** Who had a part in it, in the order of the request. */
function drawParties({ receipt: { parties } }) {
  const party = (title, address, about) => made("div", { class: "party" }, made("span", { class: "label", text: title }),
    made("span", { class: "mono", title: address, text: short(address) }), made("span", { class: "quiet", text: about }));
  byId("parties").replaceChildren(
    party("Payer", parties.payer, "asked, and pays from its channel"),
    party("Gateway", parties.gateway, "chose the node, counted and billed"),
    party("Node", parties.node, "ran the model, and answered"));
}

/** How far it has come, as dots on a line: done, under way, or to come. */
function drawSteps({ receipt: { usage, place } }, { judging, anchor, draw }) {
  const steps = [["Answered and signed", moment(usage.servedAt), true],
    ["In a root on the chain", anchor ? moment(anchor.anchored_at_ms) : `after epoch ${place.epoch}`, anchor]];
  const spared = judging === "not drawn";
  if (mayBeDrawn(usage)) {
    steps.push(["Draw", !draw ? "some blocks after the root" : spared ? "not drawn" : "drawn to be judged", draw]);
    if (!spared) steps.push(["Judged", draw ? `round ${draw.round}` : "if drawn", judging === "judged"]);
  }
  const next = steps.findIndex(([, , done]) => !done);
  byId("steps").replaceChildren(...steps.map(([title, about, done], at) =>
    made("li", { class: done ? "done" : at === next ? "next" : "" },
      strong(title), made("span", { class: "quiet", text: about }))));
}

function drawCost({ receipt: { usage, shares }, dispatch, nodeReceipt }) {
  const gross = BigInt(shares.node) + BigInt(shares.protocol);
  const worth = (tokens, wei) => (BigInt(tokens) * BigInt(wei)) / PER_PRICE;
  const digits = decimalsOf(...PARTS.map(([key]) => shares[key]));
  const amount = (wei) => number(dgai(wei, digits));
  const row = (title, tokens, wei) => [cell(title), number(grouped(tokens)), number(price(wei)), amount(worth(tokens, wei))];
  fill("tokens", [row("in", usage.tokensIn, dispatch.inPrice), row("out", usage.tokensOut, dispatch.outPrice),
    made("tr", { class: "sum" }, cell("The node's price"), number(""), number(""), amount(gross))]);
  byId("counts").textContent = `The node counted ${grouped(nodeReceipt.tokensIn)} + ${grouped(nodeReceipt.tokensOut)} tokens; `
    + "the gateway counts too, and the lower count is billed.";
  byId("split").replaceChildren(splitBar(shares));
  fill("parts", [...PARTS.map(([key, who, why]) => [
    made("td", {}, made("span", { class: `swatch part-${key}` }), who, made("span", { class: "quiet side", text: ` ${why}` })),
    number(percent(bpsOf(shares[key], shares.fee), 1)), amount(shares[key])]),
  made("tr", { class: "sum" }, cell("Fee"), number(""), amount(shares.fee))]);
}

/** The fee as one bar, each part as wide as it is. */
function splitBar(shares) {
  let x = 0;
  const bars = PARTS.map(([key]) => {
    const width = (bpsOf(shares[key], shares.fee) / 10000) * SPLIT_WIDTH;
    const one = drawn("rect", { class: `part-${key}`, x, width, height: SPLIT_HEIGHT });
    x += width;
    return one;
  });
  const about = PARTS.map(([key, who]) => `${who} ${percent(bpsOf(shares[key], shares.fee))}`).join(", ");
  return drawn("svg", { class: "split", viewBox: `0 0 ${SPLIT_WIDTH} ${SPLIT_HEIGHT}`, preserveAspectRatio: "none", role: "img",
    "aria-label": about }, ...bars);
}

function drawKnown({ label, model, receipt: { parties } }, nodes) {
  const { credibilityLowBps: low, credibilityHighBps: high } = label;
  const then = low === 0 && high === 10000
    ? [bar("nothing was known"), made("span", { text: "–" }), made("span", { class: "bounds", text: "nothing was known of it" })]
    : [bar(between(low, high), { low, high }), made("span", { text: between(low, high) })];
  const node = nodes.find((one) => one.address === parties.node);
  const now = node?.credibility.find((one) => one.task === "all" && one.model === model);
  const silence = cell(node ? "not judged yet" : "it is registered no more", "quiet");
  fill("known", [[cell("When it was chosen"), made("td", {}, ...then)], [cell("Now"), now ? interval(now) : silence]]);
  byId("price-then").textContent = label.costPositionBps === 10000
    ? "that of the cheapest for this model" : `${percent(label.costPositionBps)} of the cheapest for this model`;
  byId("checks").replaceChildren(...label.validity.map((one) => made("li", { text: CHECKS[one] ?? one })));
}

// --- what became of it ---

function aboutFate({ judging, draw, committee }, { usage, place }) {
  if (usage.privacy > SHOWN) return "No, and it never will be: who asked lets nobody else read it.";
  if (!mayBeDrawn(usage)) return "No, and it never will be: no node worked for it alone.";
  if (judging === "not anchored") return `Not yet: what is judged is drawn once the root of epoch ${place.epoch} is on the chain.`;
  if (!draw) return "Not yet: the block whose hash decides what is drawn is still to come.";
  if (judging === "not drawn") return "No: the chain drew others. The draw's seed came after the root, so nobody could choose.";
  const purposes = [draw.quality && "its quality", draw.identity && "whether the claimed model wrote it"].filter(Boolean);
  const chosen = `It was drawn for ${purposes.join(" and ")}, and the chain named who judges it.`;
  if (!committee.length) return `${chosen} No evaluator was there that can run this model, so nobody did.`;
  if (judging === "drawn") return `${chosen} They judge apart, and show what they found only when all have committed to it.`;
  return `${chosen} Cost sets fee and time against the model's reference; a dash: there was nothing to measure by.`;
}

function drawJudging(signed, judging) {
  const { committee, findings } = judging;
  byId("fate").textContent = aboutFate(judging, signed.receipt);
  byId("committee-part").hidden = !committee.length;
  byId("findings-part").hidden = !findings.length;
  fill("committee", committee.map(member));
  fill("findings", findings.map((one) => [cell(CAUSES[one.cause] ?? one.cause), number(percent(one.score_bps)),
    number(millionths(one.weight_micros)), number(one.round)]));
}

/** One evaluator: its scores, or why there are none. */
function member(one) {
  if (one.verdict !== "judged") {
    const why = made("td", { class: "quiet wrap", colspan: 5, text: VERDICTS[one.verdict] ?? one.absence });
    return made("tr", {}, hash(one.evaluator), why);
  }
  const gap = one.gap_micros == null ? "–" : `${(one.gap_micros / 1e6).toFixed(4)} nats`;
  return [hash(one.evaluator), ...SCORES.map((key) => score(one[key])), number(gap)];
}

const score = (bps) => (bps == null ? cell("–", "quiet")
  : made("td", {}, bar(percent(bps), { low: 0, high: bps }), made("span", { text: percent(bps) })));

// --- how it is held fast ---

function drawPlace({ receipt: { place } }, { anchor }, proof) {
  const facts = [["Place", `${place.epoch}.${place.lane}.${place.sequence} (epoch, lane, number)`]];
  if (proof) {
    const hashes = proof.leafPath.length + proof.lanePath.length;
    facts.push(["In its lane", `${grouped(place.sequence + 1)} of ${grouped(proof.lane.count)}`],
      ["Way to the root", hashes === 1 ? "1 hash" : `${hashes} hashes`]);
  }
  if (anchor) {
    facts.push(["Block", anchor.block], ["Records root", whole(anchor.records_root)], ["Transaction", whole(anchor.transaction)]);
  }
  byId("place").replaceChildren(...facts.map(fact));
  byId("written").textContent = anchor
    ? "All receipts of the epoch lie in one tree, and its root is on the chain. Without one of them the root is another."
    : `In no root yet: epoch ${place.epoch} has to end first, then its root goes to the chain. The place is signed already.`;
}

function drawSignatures({ receipt: { parties, usage, shares }, dispatch, dispatchSeal, nodeSeal, seal }) {
  const row = (who, address, says, one) => [
    made("td", {}, `${who} `, hexed(address)), cell(says, "wrap"),
    cell(one.count === 1 ? "nothing else" : counted(one.count - 1, "other message")), hash(one.signature)];
  const order = `the order: this request, for this node, at ${price(dispatch.inPrice)} and ${price(dispatch.outPrice)} DGAI a million`;
  const answer = "its answer: hashes of the order, of the text and of the evidence, and its token counts";
  const bill = `the bill: ${usage.tokensIn} + ${usage.tokensOut} tokens, ${price(shares.fee, 18)} DGAI, who gets what, the label, the place`;
  fill("signatures", [
    row("Gateway", parties.gateway, order, dispatchSeal),
    row("Node", parties.node, answer, nodeSeal),
    row("Gateway", parties.gateway, bill, seal),
  ]);
}

function drawCommands(id, wasDrawn) {
  const commands = [
    ["Fetch the receipt.", `curl -s ${location.origin}/v1/receipts/${id} -o receipt.json`],
    ["Are its three signatures, hashes and sums right? Needs no network.", "dgrid verify receipt.json"],
    ["Is it in the epoch's root, and is that root what all receipts of the epoch give?", `dgrid audit ${id}`],
    ...(wasDrawn ? [["Did the draw choose it, and did its judges sign these scores?", `dgrid proof ${id}`]] : []),
  ];
  if (byId("commands").children.length === commands.length) return; // who is about to copy keeps the button
  byId("commands").replaceChildren(...commands.map(([question, text]) =>
    made("li", {}, made("span", { text: question }), copied(text))));
}

function drawLinks(id) {
  byId("json").href = `/v1/receipts/${id}`;
  byId("proof-json").href = `/v1/receipts/${id}/proof`;
  byId("judging-json").href = `/v1/receipts/${id}/judging`;
}

// --- where there is none ---

async function drawMissing() {
  document.title = "DGrid · no such receipt";
  byId("name").textContent = name;
  byId("missing").hidden = false;
  const about = byId("missing-about");
  if (name.includes(".")) {
    about.textContent = "Nothing was written at this place: epoch, lane and number. Each gateway has its own places.";
    return;
  }
  about.textContent = "A receipt stays with the gateway that gave the answer. If another one did, ask it:";
  const origins = await otherGateways();
  const links = origins.map((origin) => made("a", { href: `${origin}/status/receipts/${name}`, text: origin }));
  const nobody = made("span", { class: "quiet", text: "no other gateway is known here" });
  byId("elsewhere").replaceChildren(...(links.length ? links : [nobody]).map((one) => made("li", {}, one)));
}

/** Where other gateways are, as far as what they wrote was judged lately. */
async function otherGateways() {
  const { changes } = await read(`/v1/network/quality?limit=${OTHERS}`).catch(() => ({ changes: [] }));
  const origins = new Set(changes.map((one) => one.gateway_url).filter(isWeb).map(originOf));
  origins.delete(location.origin);
  return [...origins];
}

// --- again until nothing more happens to it ---

/** Draws what never changes, once. */
function drawSigned(signed) {
  const id = signed.receipt.requestId;
  document.title = `DGrid · receipt ${short(id)}`;
  byId("name").replaceChildren(copied(id));
  drawStory(signed);
  drawParties(signed);
  drawCost(signed);
  drawSignatures(signed);
  drawLinks(id);
  byId("receipt").hidden = false;
  return signed;
}

/** Draws what became of it since; whether that is all. */
async function drawSince(signed) {
  const id = signed.receipt.requestId;
  const [judging, { nodes }] = await Promise.all([read(`/v1/receipts/${id}/judging`), read("/v1/network/nodes")]);
  const proof = judging.anchor ? await read(`/v1/receipts/${id}/proof`) : null;
  drawKnown(signed, nodes);
  drawSteps(signed, judging);
  drawJudging(signed, judging);
  drawPlace(signed, judging, proof);
  drawCommands(id, judging.committee.length > 0);
  return isFinal(judging);
}

function excuse(error) {
  if (error.status === TOO_EARLY) return "This receipt is being written down: one moment.";
  if (error instanceof NotRead) return `This gateway does not answer (${error.message}). Trying again.`;
  return `This page fails: ${error.message}`;
}

let signed = null;

async function refresh() {
  let ended = false;
  try {
    signed ??= drawSigned(await read(`/v1/receipts/${name}`));
    ended = await drawSince(signed);
    byId("notice").hidden = true;
  } catch (error) {
    if (error.status === 404 && !signed) return drawMissing();
    byId("notice").hidden = false;
    byId("notice").textContent = excuse(error);
  }
  if (!ended) setTimeout(refresh, AGAIN_MS);
}

refresh();
