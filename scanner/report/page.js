"use strict";
(() => {
  const data = JSON.parse(document.getElementById("report").textContent);
  const at = (id) => document.getElementById(id);
  const GRADES = ["confirmed", "likely", "possible"];
  const OTHER = "{other}";
  const PAGE = 100, MOST_COLUMNS = 60, MOST_LINES = 120;
  const number = new Intl.NumberFormat("en");

  const MEANING = {
    confirmed: "The form is unmistakable, or checksum and context agree.",
    likely: "The form is distinctive, or a checksum or the context supports it.",
    possible: "The form fits; nothing else speaks for it, or something speaks against it.",
  };
  const REASON = {
    format: "the pattern matches", checksum: "a checksum agrees", key: "the key names it",
    nearby: "words before it name it", veto: "the key speaks against it",
    overlap: "a stronger finding covers the same characters", field: "the field is known to hold it",
    column: "the share of values that pass, over the whole field",
  };
  const VIA = {
    json: "JSON inside a string", percent: "percent-encoding", base64: "base64",
    digits: "full-width characters or digits of other scripts",
  };

  // Every text goes in as text, never as markup.
  function make(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "class") node.className = value; else node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }
  const bdi = (text, more, ...rest) => make("bdi", { dir: "auto", ...more }, text, ...rest);
  const mark = (grade) => make("span", { class: `mark ${grade}` });
  const plural = (count, one, many) => `${number.format(count)} ${count === 1 ? one : many || one + "s"}`;
  const middle = (text, most) => text.length <= most ? text : `${text.slice(0, most >> 1)}…${text.slice(1 - (most >> 1))}`;
  const field = (row) => row.field === OTHER ? "other fields" : row.field || "whole text";
  // The last part of a path tells the most.
  function path(text) {
    const cut = text.lastIndexOf("/", text.length - 2) + 1;
    return bdi("", { class: "mono path" }, make("span", {}, text.slice(0, cut)), text.slice(cut));
  }
  // Where a narrow screen has room for a few characters, the usual beginnings are said in short.
  const brief = (text) => middle(text.replace(/^\/(event|user|group)_properties\//, "$1/"), 20);
  const event = (row) => row.event_type === OTHER ? "other event types" : row.event_type;

  function percent(share) {
    if (share === null) return "–";
    if (share > 0 && share < 0.01) return "< 1 %";
    if (share > 0.99 && share < 1) return "> 99 %";
    return `${Math.round(100 * share)} %`;
  }
  function size(bytes) {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let step = 0;
    while (bytes >= 999.95 && step < 4) { bytes /= 1000; step += 1; }
    return `${step ? bytes.toFixed(1) : bytes} ${units[step]}`;
  }
  function distinct(row) {
    if (row.distinct === null) return "–";
    return row.distinct_margin ? `≈ ${number.format(row.distinct)}` : number.format(row.distinct);
  }
  function listed(words) {
    return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
  }

  const rows = data.rows, totals = data.totals, origin = data.origin;
  rows.forEach((row, index) => {
    row.index = index;
    row.words = `${row.event_type}\n${row.field}\n${row.data_type}\n${data.types[row.data_type].name}`.toLowerCase();
  });

  // The top: one sentence, then the numbers behind it.
  function top() {
    const sure = rows.some((row) => row.grade !== "possible");
    const places = new Set(rows.filter((row) => row.field !== OTHER && (!sure || row.grade !== "possible")).map((row) => `${row.event_type}\n${row.field}`)).size;
    const events = new Set(rows.map((row) => row.event_type)).size;
    const found = GRADES.filter((grade) => totals.findings[grade]).map((grade) => `${number.format(totals.findings[grade])} ${grade}`);
    at("headline").textContent = rows.length
      ? `${sure ? "Personal data" : "Perhaps personal data"} in ${number.format(places)} of ${plural(totals.fields_seen, "field")}`
      : `No personal data in ${plural(totals.fields_seen, "field")}`;
    const parts = rows.length ? [`${listed(found)} ${rows.length === 1 ? "finding" : "findings"} in ${plural(events, "event type")}`] : [];
    const fresh = rows.filter((row) => row.new).length;
    if (rows.some((row) => row.new !== null)) parts.push(`${number.format(fresh)} new since the baseline`);
    if (data.allowed.length) parts.push(`${number.format(data.allowed.length)} allowed`);
    const usual = rows.filter(expected).length;
    if (usual) parts.push(`${number.format(usual)} of them in fields that always hold it, listed last`);
    if (totals.hidden) parts.push(`${number.format(totals.hidden)} below the least grade not shown`);
    at("lead").textContent = parts.length ? `${parts.join("; ")}.` : "Every value of every event was looked at.";
    const skipped = totals.skipped.reduce((sum, one) => sum + one.text_bytes + one.input_bytes, 0);
    const facts = [
      [number.format(totals.lines), totals.lines === 1 ? "event read" : "events read"],
      [size(totals.text_bytes), `from ${plural(origin.inputs.length, "input")}`],
      origin.seconds && [`${number.format(Math.round(totals.megabytes_per_second))} MB/s`, `${origin.seconds.toFixed(1)} s, ${origin.engine} engine`],
      totals.unaccounted_bytes
        ? [size(Math.abs(totals.unaccounted_bytes)), "not accounted for", "bad"]
        : [skipped ? size(skipped) : "Nothing", "skipped; every byte accounted for", skipped ? "" : "good"],
    ];
    at("facts").append(...facts.filter(Boolean).map(([value, label, tone]) => make("li", { class: tone || "" }, make("b", {}, value), make("span", {}, label))));
  }

  // The map: a line for each type and field, a column for each event type. Fill says the grade, size the share.
  // What a field holds in every export is no discovery: it comes last, unless a baseline shows that it is new.
  const expected = (row) => row.expected && !row.new;
  const weight = (row) => (expected(row) ? 1e-6 : 1) * 10 ** (3 - GRADES.indexOf(row.grade)) * Math.log2(2 + row.events_hit);
  function ranked(keyOf) {
    const weights = new Map();
    for (const row of rows) weights.set(keyOf(row), (weights.get(keyOf(row)) || 0) + weight(row));
    return [...weights].sort((one, other) => other[1] - one[1]).map(([key]) => key);
  }
  function cellOf(row) {
    const cell = make("td", {}), fill = make("i", { class: row.grade });
    const share = row.share === null ? 0.5 : row.share;
    fill.style.setProperty("--half", `${(4 + 5.5 * Math.sqrt(share)).toFixed(1)}px`);
    cell.className = "hit";
    cell.dataset.row = row.index;
    cell.append(fill);
    return cell;
  }
  function map(whole) {
    const narrow = matchMedia("(max-width: 560px)").matches;
    const columns = ranked((row) => row.event_type), types = ranked((row) => row.data_type);
    const shown = whole ? columns : columns.slice(0, MOST_COLUMNS);
    const lines = new Map();
    for (const row of rows) {
      const key = `${row.data_type}\n${row.field}`;
      if (!lines.has(key)) lines.set(key, { type: row.data_type, field: field(row), weight: 0, cells: new Map() });
      const line = lines.get(key);
      line.weight += weight(row);
      line.cells.set(row.event_type, row);
    }
    const rank = new Map(types.map((type, place) => [type, place]));
    const all = [...lines.values()].sort((one, other) => rank.get(one.type) - rank.get(other.type) || other.weight - one.weight);
    const body = make("tbody", {});
    let type = null;
    for (const line of whole ? all : all.slice(0, MOST_LINES)) {
      if (line.type !== type) {
        type = line.type;
        body.append(make("tr", { class: "group" }, make("th", { scope: "rowgroup", title: data.types[type].name }, type), make("td", { colspan: shown.length })));
      }
      body.append(make("tr", {}, make("th", { scope: "row", class: "mono", title: middle(line.field, 200) }, path(narrow ? brief(line.field) : middle(line.field, 44))),
        ...shown.map((name) => line.cells.has(name) ? cellOf(line.cells.get(name)) : make("td", {}))));
    }
    const head = make("thead", {}, make("tr", {}, make("td", {}),
      ...shown.map((name) => make("th", { scope: "col" }, bdi(middle(name === OTHER ? "other event types" : name || "–", 20))))));
    const table = make("table", {}, head, body);
    const room = Math.floor((at("map").clientWidth - (narrow ? 150 : 330)) / shown.length);
    table.style.setProperty("--step", `${Math.max(narrow ? 30 : 24, Math.min(46, room))}px`);
    at("map").replaceChildren(table);
    if (!whole && (columns.length > MOST_COLUMNS || all.length > MOST_LINES)) {
      const button = make("button", { class: "all", type: "button" }, `Show all ${plural(all.length, "line")} and ${plural(columns.length, "event type")}`);
      button.addEventListener("click", () => map(true));
      at("map").append(button);
    }
  }
  function mapEvents() {
    const rowAt = (target) => { const cell = target.closest("td.hit"); return cell ? rows[cell.dataset.row] : null; };
    at("map").addEventListener("mouseover", ({ target }) => {
      const row = rowAt(target);
      if (!row) return;
      at("readout").replaceChildren(mark(row.grade), ` ${row.data_type} ${row.grade} in `, bdi(middle(field(row), 60), { class: "mono" }), " of ", bdi(middle(event(row), 60)),
        `: ${plural(row.events_hit, "event")}, ${percent(row.share)}`);
    });
    at("map").addEventListener("click", ({ target }) => {
      const row = rowAt(target);
      if (!row) return;
      clear();
      refresh(row);
    });
    at("readout").textContent = "Point at a mark to read it, press it to see why.";
    at("legend").append(...GRADES.map((grade) => make("span", {}, mark(grade), grade)), make("span", {}, "larger: more of the field's events"));
  }

  // The list.
  const state = { search: "", grades: new Set(GRADES), type: "", event: "", order: "sure", shown: PAGE };
  const ORDER = {
    sure: (one, other) => expected(one) - expected(other) || one.index - other.index,
    events: (one, other) => other.events_hit - one.events_hit || one.index - other.index,
    distinct: (one, other) => (other.distinct || 0) - (one.distinct || 0) || one.index - other.index,
    field: (one, other) => one.field < other.field ? -1 : one.field > other.field ? 1 : one.index - other.index,
  };
  function selected() {
    const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
    return rows.filter((row) => state.grades.has(row.grade)
      && (!state.type || row.data_type === state.type)
      && (!state.event || row.event_type === state.event.slice(1))
      && words.every((word) => row.words.includes(word))).sort(ORDER[state.order]);
  }
  function summaryOf(row) {
    const type = data.types[row.data_type];
    const bar = make("span", { class: `bar ${row.grade}`, "aria-hidden": "true" }, make("span", {}));
    bar.style.setProperty("--share", `${100 * (row.share || 0)}%`);
    return make("summary", {},
      make("span", { class: "grade" }, mark(row.grade), row.grade, row.new ? make("span", { class: "new" }, "new") : null),
      make("span", { class: "type" }, make("b", {}, row.data_type), type.name === row.data_type ? null : make("small", {}, type.name)),
      make("span", { class: "place" }, path(field(row)), make("small", {}, bdi(event(row)))),
      make("span", { class: "number events" }, number.format(row.events_hit), make("small", {}, `${row.events_hit === 1 ? "event" : "events"}, ${percent(row.share)}`), row.share === null ? null : bar),
      make("span", { class: "number distinct" }, distinct(row), make("small", {}, "distinct")));
  }
  function chips(texts) { return make("span", { class: "chips" }, ...texts.map((text) => make("code", {}, bdi(text)))); }
  function bodyOf(row) {
    const perGrade = GRADES.filter((grade) => row.events[grade]).map((grade) => `${number.format(row.events[grade])} ${grade}`);
    const seen = row.events_seen === null ? "" : ` of ${plural(row.events_seen, "event")} in which the field held something`;
    const lines = [
      ["Allowed", row.allowed && bdi(row.allowed)],
      ["Why", row.reasons.length && listed(row.reasons.map((word) => REASON[word] || word))],
      ["Looks like", row.shapes.length && chips(row.shapes)],
      ["Events", `${listed(perGrade)}${seen}`],
      ["Distinct values", row.distinct && (row.distinct_margin ? `about ${number.format(row.distinct)}, ± ${number.format(row.distinct_margin)} (95 %)` : `exactly ${number.format(row.distinct)}`)],
      ["Seen through", row.via.length && listed(row.via.map((word) => VIA[word] || word))],
      ["First, last hour", row.first_hour && `${row.first_hour}:00 to ${row.last_hour}:00`],
      ["Group", [data.types[row.data_type].group.replaceAll("_", " "), data.types[row.data_type].country].filter(Boolean).join(", ")],
    ];
    return make("div", { class: "body" }, make("dl", {}, ...lines.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])));
  }
  function entry(row, open) {
    const details = make("details", {}, summaryOf(row));
    details.addEventListener("toggle", () => { if (details.open && details.childElementCount === 1) details.append(bodyOf(row)); });
    if (open) { details.append(bodyOf(row)); details.open = true; }
    return details;
  }
  function refresh(target) {
    const some = selected();
    if (target) state.shown = Math.max(state.shown, some.indexOf(target) + 1);
    const nodes = some.slice(0, state.shown).map((row) => entry(row, row === target));
    at("list").replaceChildren(...(nodes.length ? nodes : [make("p", { class: "empty" }, rows.length ? "Nothing fits these filters." : "Nothing was found.")]));
    at("count").textContent = some.length === rows.length ? plural(rows.length, "finding") : `${number.format(some.length)} of ${plural(rows.length, "finding")}`;
    const left = some.length - state.shown;
    at("more").hidden = left <= 0;
    at("more").textContent = `Show ${number.format(Math.min(left, 10 * PAGE))} more`;
    if (target) nodes[some.indexOf(target)].scrollIntoView({ block: "center" });
  }
  function clear() {
    Object.assign(state, { search: "", grades: new Set(GRADES), type: "", event: "", order: "sure" });
    at("filters").reset();
    for (const button of at("grades").children) button.setAttribute("aria-pressed", "true");
  }
  function options(select, all, names) {
    select.append(make("option", { value: "" }, all), ...names.map(([value, label]) => make("option", { value }, middle(label, 60))));
  }
  function filters() {
    at("grades").append(...GRADES.map((grade) => {
      const button = make("button", { type: "button", "aria-pressed": "true" }, mark(grade), grade);
      button.addEventListener("click", () => {
        if (!state.grades.delete(grade)) state.grades.add(grade);
        button.setAttribute("aria-pressed", String(state.grades.has(grade)));
        changed();
      });
      return button;
    }));
    options(at("type"), "all data types", [...new Set(rows.map((row) => row.data_type))].sort().map((type) => [type, type]));
    // An event type may be the empty text, so the values begin with a letter.
    options(at("event"), "all event types", [...new Set(rows.map((row) => row.event_type))].sort().map((name) => [`=${name}`, name === OTHER ? "other event types" : name || "–"]));
    const changed = () => { state.shown = PAGE; refresh(); };
    at("filters").addEventListener("submit", (submit) => submit.preventDefault());
    for (const id of ["search", "type", "event", "order"]) {
      at(id).addEventListener("input", () => { state[id] = at(id).value; changed(); });
    }
    at("more").addEventListener("click", () => { state.shown += 10 * PAGE; refresh(); });
    addEventListener("beforeprint", () => { state.shown = rows.length; refresh(); });
  }

  // What was read, and from where.
  function account() {
    const line = (name, value, tone) => make("tr", { class: tone || "" }, make("td", {}, name), make("td", {}, value));
    const lines = [line("Inputs", size(totals.input_bytes)), line("Unpacked", size(totals.text_bytes)), line("Scanned", size(totals.text_scanned))];
    for (const one of totals.skipped) {
      const amounts = [one.lines && plural(one.lines, "line"), one.text_bytes && size(one.text_bytes), one.input_bytes && `${size(one.input_bytes)} not unpacked`];
      lines.push(line(`skipped: ${one.fault.replaceAll("_", " ")}`, amounts.filter(Boolean).join(", "), "skipped"));
    }
    at("account").append(make("table", {}, make("tbody", {}, ...lines)));
    at("accounted").textContent = totals.unaccounted_bytes
      ? `${number.format(totals.unaccounted_bytes)} bytes are not accounted for: a bug, please report it.`
      : "Every byte that was read was scanned, or skipped for a reason that is told here.";
    at("accounted").classList.add(totals.unaccounted_bytes ? "bad" : "good");
    at("incidents").append(...data.incidents.map((one) => make("p", {}, bdi(one.source), `: ${one.message} (${one.fault.replaceAll("_", " ")})`)));
  }
  function provenance() {
    const codes = (texts) => chips(texts.slice(0, 8).concat(texts.length > 8 ? [`and ${texts.length - 8} more`] : []));
    const lines = [
      ["Inputs", codes(origin.inputs)], ["Archives", origin.sources.length && codes(origin.sources)],
      ["Findings from", origin.window[0] && `${origin.window[0]}:00 to ${origin.window[1]}:00, event time`],
      [origin.rules ? "Rules" : "", origin.rules && chips([origin.rules])], [origin.rules ? "" : "Rules", plural(origin.rule_count, "rule")],
      ["Scanned", origin.started.replace("T", " ").replace("+00:00", " UTC")],
      ["Engine", origin.engine && `${origin.engine}, ${plural(origin.processes, "process", "processes")}`], ["Version", origin.version],
    ];
    at("origin").append(...lines.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  }
  function words() {
    const lines = GRADES.map((grade) => [[mark(grade), grade], MEANING[grade]]);
    lines.push([["events"], "Events in which the field held this type; an event counts once. The share is of the events in which the field held anything."]);
    lines.push([["distinct"], "Different values, counted by keyed fingerprints; up to 127 exactly, beyond that within the margin 19 times of 20."]);
    lines.push([["looks like"], "Values with their characters masked. No value is in this file."]);
    at("words").append(...lines.flatMap(([name, text]) => [make("dt", {}, ...name), make("dd", {}, text)]));
  }

  document.querySelector("main").hidden = false;
  top();
  at("map-section").hidden = !rows.length;
  at("filters").hidden = !rows.length;
  map(false);
  mapEvents();
  filters();
  refresh();
  at("allowed-section").hidden = !data.allowed.length;
  at("allowed").append(...data.allowed.map((row) => entry(row)));
  account();
  provenance();
  words();
})();
