// page.js - step through a trace: one step at a time is shown, whatever way it was chosen.
//
// The trace is data in this page; texts of it are put in as text, never as HTML. Only the
// pieces of the picture are markup: Graphviz wrote them, and the page's policy runs no script
// in them.
"use strict";

(() => {
  const PLAY_EVERY = 1200; // milliseconds: time to read two sentences
  const trace = JSON.parse(document.getElementById("trace").textContent);
  const steps = trace.steps;
  const $ = (id) => document.getElementById(id);
  let at = 0; // index into steps
  let playing = null; // the timer
  let shownFile = null; // index into trace.files

  /* An element with a class and text; the text may hold anything. */
  function make(tag, name, text) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function fill(list, texts) {
    list.replaceChildren(...texts.map((text) => make("li", "", text)));
    list.hidden = texts.length === 0;
  }

  const shared = (numbers) => numbers.map((number) => trace.shared[number]);

  /* "server.c:57", or nothing for a client. */
  const place = (s) => (s.file >= 0 && trace.files[s.file] ? trace.files[s.file].name + ":" + s.line : "");

  /* "fork() = C1": the headline without the name in front. */
  const what = (s) => s.headline.slice(s.headline.indexOf(": ") + 2);

  /* ---- where the jumps lead ---- */

  const evidence = new Set(trace.findings.flatMap((finding) => finding.steps));
  const failed = (s) => s.result.startsWith("-1");
  const jumps = {
    fork: (s) => s.kind === "call" && /^(v?fork|clone3?|posix_spawn)\b/.test(s.call) && !failed(s),
    close: (s) => s.kind === "call" && /^close/.test(s.call) && !failed(s),
    exit: (s) => s.kind === "exit",
    signal: (s) => s.kind === "signal",
    finding: (s) => evidence.has(s.number),
  };

  const following = (kind) => steps.findIndex((s, i) => i > at && jumps[kind](s));

  /* ---- the source ---- */

  const words = new RegExp(
    "(/\\*[\\s\\S]*?\\*/|//[^\\n]*)" + // comment
      "|(\"(?:[^\"\\\\\\n]|\\\\.)*\"|'(?:[^'\\\\\\n]|\\\\.)*'|^[ \\t]*#[ \\t]*include[ \\t]*<[^>\\n]*>)" +
      "|\\b(auto|break|case|char|const|continue|default|do|double|else|enum|extern|float|for|goto|if|int" +
      "|long|register|return|short|signed|sizeof|static|struct|switch|typedef|union|unsigned|void|volatile" +
      "|while|_Noreturn|bool|pid_t|size_t|ssize_t)\\b",
    "gm",
  );

  /* The text of a file as lines, each an array of [class, text]. */
  function coloured(text) {
    const lines = [[]];
    const put = (name, piece) =>
      piece.split("\n").forEach((part, i) => {
        if (i > 0) lines.push([]);
        if (part !== "") lines[lines.length - 1].push([name, part]);
      });
    let end = 0;
    for (const found of text.matchAll(words)) {
      put("", text.slice(end, found.index));
      put(found[1] !== undefined ? "comment" : found[2] !== undefined ? "string" : "keyword", found[0]);
      end = found.index + found[0].length;
    }
    put("", text.slice(end));
    if (lines[lines.length - 1].length === 0) lines.pop();
    return lines;
  }

  function showFile(index) {
    if (index === shownFile || !trace.files[index]) return;
    shownFile = index;
    const rows = coloured(trace.files[index].text).map((pieces, i) => {
      const row = make("div", "line");
      const text = make("span", "text");
      text.append(...pieces.map(([name, piece]) => (name ? make("span", name, piece) : piece)));
      row.append(make("span", "tags"), make("span", "digits", String(i + 1)), text);
      return row;
    });
    $("code").replaceChildren(...rows);
    $("file-name").textContent = trace.files[index].name;
    $("code").setAttribute("aria-label", "Source of " + trace.files[index].name);
    for (const button of $("files").children)
      button.setAttribute("aria-pressed", String(Number(button.dataset.file) === index));
  }

  /* Into the middle of its own box; the page itself shall not move. */
  function reveal(box, row, middle) {
    if (!row) return;
    const over = row.offsetTop < box.scrollTop + row.offsetHeight;
    const under = row.offsetTop + 2 * row.offsetHeight > box.scrollTop + box.clientHeight;
    if (middle || over || under)
      box.scrollTop = row.offsetTop - (box.clientHeight - row.offsetHeight) / 2;
  }

  function markLines(s) {
    const rows = $("code").children;
    for (const row of rows) {
      if (row.className !== "line") row.className = "line";
      row.removeAttribute("aria-current");
      if (row.firstChild.firstChild) row.firstChild.replaceChildren();
    }
    for (const tag of s.tags) {
      const row = tag.file === shownFile ? rows[tag.line - 1] : undefined;
      if (!row) continue;
      const label = make("span", "tag " + (tag.interrupted ? "interrupted" : tag.state), tag.who);
      label.title = tag.interrupted ? tag.who + " was interrupted here" : tag.who + " is " + tag.state + " here";
      row.firstChild.append(label);
    }
    const here = s.file === shownFile ? rows[s.line - 1] : undefined;
    if (here) {
      here.className = "line here";
      here.setAttribute("aria-current", "step");
    }
    /* A client has no line here: then where the first process stands is worth seeing. */
    const tagged = s.tags.find((tag) => tag.file === shownFile);
    reveal($("code"), here ?? (tagged && rows[tagged.line - 1]));
  }

  /* ---- one step ---- */

  function showPicture(s) {
    $("drawing").setAttribute("aria-label", "Picture of step " + s.number + ", " + s.headline);
    /* Each piece is one box or one line as Graphviz drew it. */
    $("drawing").firstChild.innerHTML = shared(s.picture).join("");
  }

  function showOutput() {
    const before = steps.slice(0, at).map((s) => s.output).join("");
    const now = steps[at].output;
    $("output").replaceChildren(before);
    if (now !== "") $("output").append(make("mark", "", now));
    $("output").scrollTop = $("output").scrollHeight;
  }

  function show(index, from) {
    const s = steps[index];
    const old = $("steps").querySelector("[aria-current]");
    at = index;
    $("headline").replaceChildren(
      make("span", "count", "Step " + s.number + "  "),
      make("span", "", s.headline),
    );
    $("where").textContent = [place(s), s.chain.includes("←") ? "(" + s.chain + ")" : "", s.text]
      .filter((part) => part !== "")
      .join("  ");
    $("caption").textContent = s.caption;
    $("caption").hidden = s.caption === "";
    fill($("changes"), shared(s.changes));
    fill($("notes"), s.notes);
    fill($("words"), shared(s.words));
    $("jumped").textContent = "";
    $("number").textContent = s.number;
    $("slider").value = String(index + 1);
    $("slider").setAttribute("aria-valuetext", "step " + s.number + ", " + s.headline);
    $("previous").setAttribute("aria-disabled", String(index === 0));
    $("next").setAttribute("aria-disabled", String(index === steps.length - 1));
    for (const button of document.querySelectorAll("[data-jump]"))
      button.setAttribute("aria-disabled", String(following(button.dataset.jump) === -1));
    showPicture(s);
    if (s.file >= 0) showFile(s.file);
    else if (s.tags.length > 0 && !s.tags.some((tag) => tag.file === shownFile)) showFile(s.tags[0].file);
    markLines(s);
    showOutput();
    if (old) old.removeAttribute("aria-current");
    const entry = $("steps").children[index].firstChild;
    entry.setAttribute("aria-current", "step");
    reveal($("steps"), entry.parentNode, from === "start");
    $("address").textContent = "#step=" + s.number;
    if (from !== "address") {
      try {
        history.replaceState(null, "", "#step=" + s.number);
      } catch {
        /* Some browsers refuse that for files: the page works without. */
      }
    }
  }

  function go(index, from) {
    show(Math.min(Math.max(index, 0), steps.length - 1), from);
  }

  function goToNumber(number, from) {
    const index = steps.findIndex((s) => s.number === number);
    if (index >= 0) go(index, from);
    return index >= 0;
  }

  function goToAddress(from) {
    const match = /^#step=(\d+)$/.exec(location.hash);
    return match !== null && goToNumber(Number(match[1]), from);
  }

  /* ---- play ---- */

  function stop() {
    if (playing !== null) clearInterval(playing);
    playing = null;
    $("play").textContent = "Play";
    $("play").setAttribute("aria-pressed", "false");
    $("live").setAttribute("aria-live", "polite");
  }

  function play() {
    if (at === steps.length - 1) go(0);
    /* A screen reader would never come to the end of a sentence. */
    $("live").setAttribute("aria-live", "off");
    $("play").textContent = "Pause";
    $("play").setAttribute("aria-pressed", "true");
    playing = setInterval(() => {
      go(at + 1);
      if (at === steps.length - 1) stop();
    }, PLAY_EVERY);
  }

  /* ---- what is the same for every step ---- */

  function setUp() {
    const words = [trace.program, ...trace.arguments].join(" ");
    $("about").textContent =
      words + " · " + steps.length + " step" + (steps.length === 1 ? "" : "s") +
      (trace.end ? ", then: " + trace.end : "") + (trace.order ? " · order: " + trace.order : "");
    $("total").textContent = steps[steps.length - 1].number;
    $("slider").max = String(steps.length);

    const svg = $("drawing");
    svg.setAttribute("viewBox", trace.view);
    const group = document.createElementNS(svg.namespaceURI, "g");
    group.setAttribute("transform", trace.transform);
    svg.replaceChildren(group);

    $("steps").replaceChildren(
      ...steps.map((s) => {
        const item = make("li");
        const link = make("a");
        link.href = "#step=" + s.number;
        const text = make("span", "what", what(s));
        if (s.caption) text.title = s.caption;
        link.append(make("span", "digits", String(s.number)), make("span", "who", s.who), text);
        const end = make("span", "place", place(s));
        if (evidence.has(s.number)) end.append(" ", make("span", "flag", "finding"));
        link.append(end);
        item.append(link);
        return item;
      }),
    );

    if (trace.files.length > 1) {
      $("files").hidden = false;
      $("files").append(
        ...trace.files.map((file, i) => {
          const button = make("button", "", file.name);
          button.type = "button";
          button.dataset.file = String(i);
          return button;
        }),
      );
    }
    $("source").hidden = trace.files.length === 0;
    showFile(0);

    $("found").replaceChildren(
      ...trace.findings.map((finding) => {
        const item = make("li");
        if (place(finding) !== "") item.append(make("code", "", place(finding)), " ");
        item.append(finding.text);
        finding.steps.forEach((number, i) => {
          const link = make("a", "", "step " + number);
          link.href = "#step=" + number;
          item.append(i === 0 ? " (" : ", ", link);
        });
        if (finding.steps.length > 0) item.append(")");
        return item;
      }),
    );
    document.querySelector('[data-jump="finding"]').hidden = trace.findings.length === 0;
    if (trace.findings.length > 0) {
      const link = make("a", "", trace.findings.length + " finding" + (trace.findings.length === 1 ? "" : "s"));
      link.href = "#findings";
      $("about").append(" · ", link);
    }
    $("end").textContent =
      (trace.findings.length === 0 ? "None. " : "") + "The trace ends after step " +
      steps[steps.length - 1].number + (trace.end ? ": " + trace.end + "." : ".");
    fill($("remarks"), trace.notes);
  }

  /* Said only where it is so. */
  function noteWidth() {
    $("scrolls").hidden = $("frame").scrollWidth <= $("frame").clientWidth + 1;
  }

  /* Every way to another step stops the playing, so that it never runs away from a reader. */
  function listen() {
    const choose = (index) => {
      stop();
      go(index);
    };
    $("previous").addEventListener("click", () => choose(at - 1));
    $("next").addEventListener("click", () => choose(at + 1));
    $("play").addEventListener("click", () => (playing === null ? play() : stop()));
    $("slider").addEventListener("input", () => choose(Number($("slider").value) - 1));
    for (const button of document.querySelectorAll("[data-jump]"))
      button.addEventListener("click", () => {
        const kind = button.dataset.jump;
        const index = following(kind);
        if (index >= 0) choose(index);
        else $("jumped").textContent = "No " + kind + " after step " + steps[at].number + ".";
      });
    $("files").addEventListener("click", (event) => {
      if (event.target.dataset.file === undefined) return;
      showFile(Number(event.target.dataset.file));
      markLines(steps[at]);
    });
    addEventListener("resize", noteWidth);
    addEventListener("hashchange", () => {
      if (/^#step=/.test(location.hash)) stop();
      goToAddress("address");
    });
    document.addEventListener("keydown", (event) => {
      const keys = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: steps.length - 1 };
      if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      if (event.key === "Escape") stop();
      /* The slider knows these keys itself. */
      if (!(event.key in keys) || event.target === $("slider")) return;
      event.preventDefault();
      choose(keys[event.key]);
    });
  }

  if (steps.length === 0) {
    $("headline").textContent = "This trace has no steps.";
    return;
  }
  setUp();
  listen();
  stop();
  if (!goToAddress("start")) go(0, "start");
  noteWidth();
})();
