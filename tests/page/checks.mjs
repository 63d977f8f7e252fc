// tests/page/checks.mjs - what a reader does with a page, and what must then be there.
//
// All of them are for the page of tests/forkscope/small.jq, but quiet, accessible, narrow and
// hostile, which are right for any. Each gets { is, open, axe, provoke } of browse.mjs.

/* What a reader sees of the step that is shown. */
const seen = (page) =>
  page.evaluate(() => ({
    headline: document.querySelector("#headline").textContent,
    number: document.querySelector("#number").textContent,
    slider: document.querySelector("#slider").value,
    hash: location.hash,
    current: [...document.querySelectorAll("#steps [aria-current]")].map((a) => a.getAttribute("href")),
    here: [...document.querySelectorAll(".line.here .digits")].map((digits) => digits.textContent),
    picture: document.querySelector("#drawing").getAttribute("aria-label"),
  }));

const last = async (page) => page.locator("#steps li").count();

/* When the address has changed the page follows a moment later. */
const comesTo = (page, number) =>
  page.waitForFunction((n) => document.querySelector("#number").textContent === n, String(number));

/* Click on a step in the list. */
async function goTo(page, number) {
  await page.click(`#steps a[href="#step=${number}"]`);
  await comesTo(page, number);
}

/* Make the window so wide, and wait until it is and all that follows from it is drawn. */
async function resize(page, width, height) {
  await page.setViewportSize({ width, height });
  await page.waitForFunction((wanted) => innerWidth === wanted, width);
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
}

/* Everything on the page must agree about the step. */
async function isAt({ is }, page, number, headline, line) {
  const now = await seen(page);
  is(`headline at step ${number}`, `Step ${number}  ${headline}`, now.headline);
  is(`number at step ${number}`, String(number), now.number);
  is(`slider at step ${number}`, String(number), now.slider);
  is(`address at step ${number}`, `#step=${number}`, now.hash);
  is(`marked in the list at step ${number}`, [`#step=${number}`], now.current);
  is(`marked line at step ${number}`, line === undefined ? [] : [String(line)], now.here);
  is(`name of the picture at step ${number}`, `Picture of step ${number}, ${headline}`, now.picture);
}

export async function stepping(t) {
  const { page } = await t.open();
  await isAt(t, page, 1, "P: starts in main", 10);
  t.is("Previous at the first step", "true", await page.locator("#previous").getAttribute("aria-disabled"));
  await page.click("#next");
  await isAt(t, page, 2, "P: listen(3) = 0", 10);
  await page.click("#next");
  await isAt(t, page, 3, "P: accept(3), waits", 12);
  await page.click("#next");
  await isAt(t, page, 4, "client A: connect", undefined);
  await page.click("#previous");
  await isAt(t, page, 3, "P: accept(3), waits", 12);
  await goTo(page, 15);
  await isAt(t, page, 15, "P: close(4) = 0", 12);
  t.is("Next at the last step", "true", await page.locator("#next").getAttribute("aria-disabled"));
  /* It says that it leads nowhere; pressed all the same it must do nothing. */
  await page.click("#next", { force: true });
  await isAt(t, page, 15, "P: close(4) = 0", 12);
}

export async function shows(t) {
  const { page } = await t.open({ hash: "#step=6" });
  const texts = (selector) => page.locator(selector).allTextContents();
  t.is("changes", ["C1 is new, a child of P.",
    "C1 inherited descriptors 3 (the listening socket) and 4 (connection A).",
    "The listening socket has 2 references now, 1 more.",
    "Connection A has 2 references now, 1 more."], await texts("#changes li"));
  t.is("the changes are read out", "polite", await page.locator("#live").getAttribute("aria-live"));
  t.is("caption", "After the fork: both hold both", await page.textContent("#caption"));
  t.is("where", "server.c:14  (fork ← main:14)  if (fork() == 0) {", await page.textContent("#where"));
  t.is("tags", ["P", "C1"], await texts(".line.here .tag"));
  const drawn = await texts("#drawing text");
  for (const text of ["P, parent", "C1, child of P", "new: connection A", "refs = 2", "client A"])
    t.is(`the picture says "${text}"`, true, drawn.some((found) => found.trim() === text));
  t.is("the picture in words", true,
    (await texts("#words li")).includes("In the kernel: S2 connection with A has 2 references, state ESTABLISHED."));
  t.is("printed", "new client\n", await page.textContent("#output"));
  t.is("printed in this step", [], await texts("#output mark"));
  await page.click("#previous");
  t.is("printed in step 5", ["new client\n"], await texts("#output mark"));
  await goTo(page, 2);
  t.is("printed by step 2", "", await page.textContent("#output"));
  await goTo(page, 12);
  t.is("notes", ["a note"], await texts("#notes li"));
  await goTo(page, 13);
  t.is("where in a handler", "server.c:4  (on_sigchld:4 ← SIGCHLD ← main:12)  {", await page.textContent("#where"));
  t.is("tag where the signal came", ["P"], await texts(".tag.interrupted"));
}

export async function keys(t) {
  const { page } = await t.open();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await isAt(t, page, 3, "P: accept(3), waits", 12);
  await page.keyboard.press("ArrowLeft");
  await isAt(t, page, 2, "P: listen(3) = 0", 10);
  await page.keyboard.press("End");
  await isAt(t, page, 15, "P: close(4) = 0", 12);
  await page.keyboard.press("ArrowRight");
  await isAt(t, page, 15, "P: close(4) = 0", 12);
  await page.keyboard.press("Home");
  await isAt(t, page, 1, "P: starts in main", 10);
  await page.keyboard.press("ArrowLeft");
  await isAt(t, page, 1, "P: starts in main", 10);
  /* With the keys alone one comes to everything that can be pressed, and sees where one is. */
  const stops = new Set();
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const element = document.activeElement;
      const style = getComputedStyle(element);
      return { name: element.id || element.dataset.jump || element.tagName,
        ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 };
    });
    if (stop.name === "BODY") continue;
    stops.add(stop.name);
    t.is(`a ring around ${stop.name}`, true, stop.ring);
  }
  for (const name of ["previous", "next", "play", "slider", "fork", "close", "exit", "signal", "finding", "code", "A"])
    t.is(`Tab comes to ${name}`, true, stops.has(name));
}

export async function addresses(t) {
  const { page, url } = await t.open({ hash: "#step=9" });
  await isAt(t, page, 9, "C1: close(3) = 0", 15);
  await page.evaluate(() => { location.hash = "#step=12"; });
  await comesTo(page, 12);
  await isAt(t, page, 12, "C1: exit(0)", 17);
  for (const hash of ["#step=99", "#step=0", "#step=x", "#step=-1", "#other"]) {
    await page.goto("about:blank");
    await page.goto(url + hash);
    await isAt(t, page, 1, "P: starts in main", 10);
  }
}

export async function jumps(t) {
  const { page } = await t.open();
  const jump = (kind) => page.click(`[data-jump="${kind}"]`, { force: true });
  await jump("fork");
  await isAt(t, page, 6, "P: fork() = C1", 14);
  t.is("no second fork", "true", await page.locator('[data-jump="fork"]').getAttribute("aria-disabled"));
  await jump("fork");
  await isAt(t, page, 6, "P: fork() = C1", 14);
  t.is("it says so", "No fork after step 6.", await page.textContent("#jumped"));
  await jump("close");
  await isAt(t, page, 9, "C1: close(3) = 0", 15);
  t.is("it says no more", "", await page.textContent("#jumped"));
  await jump("exit");
  await isAt(t, page, 12, "C1: exit(0)", 17);
  await jump("signal");
  t.is("signal", "#step=13", (await seen(page)).hash);
  await jump("close");
  await isAt(t, page, 15, "P: close(4) = 0", 12);
  await page.keyboard.press("Home");
  await jump("finding");
  t.is("finding", "#step=5", (await seen(page)).hash);
}

export async function slider(t) {
  const { page } = await t.open();
  await page.locator("#slider").fill("9");
  await isAt(t, page, 9, "C1: close(3) = 0", 15);
  await page.focus("#slider");
  await page.keyboard.press("ArrowRight");
  t.is("an arrow key on the slider is one step", "#step=10", (await seen(page)).hash);
  await page.keyboard.press("Home");
  await isAt(t, page, 1, "P: starts in main", 10);
  t.is("what a screen reader says of it", "step 1, P: starts in main", await page.locator("#slider").getAttribute("aria-valuetext"));
}

export async function plays(t) {
  const { page } = await t.open({ clock: true });
  const button = () => page.textContent("#play");
  await page.click("#play");
  t.is("the button while it plays", "Pause", await button());
  t.is("nothing is read out while it plays", "off", await page.locator("#live").getAttribute("aria-live"));
  await page.clock.runFor(1250);
  t.is("after 1.25 s", "#step=2", (await seen(page)).hash);
  await page.clock.runFor(2400);
  t.is("after 3.65 s", "#step=4", (await seen(page)).hash);
  await page.click("#play");
  t.is("the button when it pauses", "Play", await button());
  await page.clock.runFor(10000);
  t.is("after a pause", "#step=4", (await seen(page)).hash);
  await page.click("#play");
  await page.keyboard.press("ArrowLeft");
  await page.clock.runFor(10000);
  t.is("a key stops it", "#step=3", (await seen(page)).hash);
  await page.click("#play");
  await page.keyboard.press("Escape");
  await page.clock.runFor(10000);
  t.is("Esc stops it", "#step=3", (await seen(page)).hash);
  await page.click("#play");
  await page.clock.runFor(60000);
  await isAt(t, page, 15, "P: close(4) = 0", 12);
  t.is("the button at the end", "Play", await button());
  await page.click("#play");
  t.is("at the end it begins again", "#step=1", (await seen(page)).hash);
}

export async function findings(t) {
  const { page } = await t.open();
  t.is("finding", ["server.c:12 P keeps descriptor 4 of connection A open (step 5, step 11)"],
    await page.locator("#found li").allTextContents());
  t.is("the head tells of it", "server 9000 argument · 15 steps, then: the scenario is over · order: parent-first · 1 finding",
    await page.textContent("#about"));
  await page.click('#found a[href="#step=11"]');
  await comesTo(page, 11);
  await isAt(t, page, 11, "client A: half-close", undefined);
  t.is("steps marked as evidence", ["#step=5", "#step=11"],
    await page.locator("#steps li:has(.flag) a").evaluateAll((links) => links.map((a) => a.getAttribute("href"))));
  t.is("the end", "The trace ends after step 15: the scenario is over.", await page.textContent("#end"));
  t.is("notes on the whole", ["a note on the whole"], await page.locator("#remarks li").allTextContents());
}

/* Whoever comes by an address sees where the processes stand, also at a step of a client. */
export async function revealed(t) {
  const { page, url } = await t.open();
  const clients = await page.locator("#steps a").evaluateAll((links) => links
    .filter((link) => link.querySelector(".place").textContent === "").map((link) => link.getAttribute("href")));
  t.is("there are steps of clients", true, clients.length > 0);
  for (const hash of clients) {
    await page.goto("about:blank");
    await page.goto(url + hash);
    t.is(`tags in view at ${hash}`, true, await page.evaluate(() => {
      const box = document.querySelector("#code").getBoundingClientRect();
      const tags = [...document.querySelectorAll("#code .tag")].map((tag) => tag.getBoundingClientRect());
      return tags.length === 0 || tags.some((tag) => tag.top >= box.top && tag.bottom <= box.bottom);
    }));
  }
}

/* Through all steps: what it says on the console or asks for is noted by browse.mjs. */
export async function quiet(t) {
  const { page } = await t.open();
  const count = await last(page);
  for (let i = 1; i < count; i++) await page.keyboard.press("ArrowRight");
  t.is("the last step", `#step=${count}`, (await seen(page)).hash);
}

/* Nothing moves: what is drawn in two steps stands at the same place in both. */
export async function still(t) {
  const { page } = await t.open();
  const places = new Map();
  const count = await last(page);
  for (let i = 0; i < count; i++) {
    const found = await page.evaluate(() =>
      [...document.querySelectorAll("#drawing text")]
        .filter((text) => /^(P, parent|C1, child of P|inside the kernel|client A)$/.test(text.textContent))
        .map((text) => [text.textContent, text.getAttribute("x") + "," + text.getAttribute("y")]));
    for (const [text, place] of found) {
      if (!places.has(text)) places.set(text, place);
      t.is(`place of "${text}" at step ${i + 1}`, places.get(text), place);
    }
    await page.keyboard.press("ArrowRight");
  }
  t.is("things looked at", 4, places.size);
}

export async function accessible(t) {
  for (const colorScheme of ["light", "dark"])
    for (const width of [1280, 375]) {
      /* No transitions: colours half-way between two are no colours of ours. */
      const { page } = await t.open({ colorScheme, width, reducedMotion: "reduce" });
      await page.evaluate(t.axe);
      /* One with a caption and two processes, one in a handler; of another trace any two. */
      for (const number of [6, 13]) {
        await page.evaluate((n) => { location.hash = "#step=" + n; }, number);
        await comesTo(page, number);
        const { violations, passes } = await page.evaluate(() => window.axe.run());
        for (const violation of violations)
          for (const node of violation.nodes)
            t.is(`${colorScheme}, ${width} px, step ${number}`, "no violation",
              `${violation.id}: ${node.target.join(" ")}: ${node.failureSummary}`);
        t.is(`${colorScheme}, ${width} px: colours are looked at`, true, passes.some((rule) => rule.id === "color-contrast"));
      }
    }
}

/* The picture's own texts, which axe does not judge: contrast against what is painted below them. */
export async function legible(t) {
  for (const colorScheme of ["light", "dark"]) {
    const { page } = await t.open({ colorScheme, reducedMotion: "reduce" });
    const count = await last(page);
    for (let i = 0; i < count; i++) {
      const poor = await page.evaluate(() => {
        const channel = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
        const light = (colour) => {
          const [r, g, b] = colour.match(/[\d.]+/g).map(Number);
          return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
        };
        const shapes = [...document.querySelectorAll("#drawing path, #drawing polygon, #drawing text")];
        const filled = (shape) => !["none", "rgba(0, 0, 0, 0)"].includes(getComputedStyle(shape).fill);
        return shapes.flatMap((text, order) => {
          if (text.tagName !== "text" || text.textContent.trim() === "") return [];
          const box = text.getBBox();
          const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
          const below = shapes.slice(0, order).filter((shape) => {
            const b = shape.getBBox();
            return shape.tagName !== "text" && filled(shape) && b.x <= x && x <= b.x + b.width && b.y <= y && y <= b.y + b.height;
          }).pop();
          const back = below ? getComputedStyle(below).fill : getComputedStyle(document.querySelector("#frame")).backgroundColor;
          const [a, b] = [light(getComputedStyle(text).fill), light(back)].sort((p, q) => q - p);
          const contrast = (a + 0.05) / (b + 0.05);
          return contrast < 4.5 && !/^●$/.test(text.textContent)
            ? [`"${text.textContent}" ${getComputedStyle(text).fill} on ${back}: ${contrast.toFixed(2)}`] : [];
        });
      });
      t.is(`${colorScheme}, step ${i + 1}: texts of the picture with too little contrast`, [], [...new Set(poor)]);
      await page.keyboard.press("ArrowRight");
    }
  }
}

/* On a phone: nothing sticks out but what scrolls by itself, and the buttons are there at once. */
export async function narrow(t) {
  for (const width of [320, 375, 820, 1280]) {
    const { page } = await t.open({ width, height: 700 });
    for (const key of ["Home", "ArrowRight", "End"]) {
      await page.keyboard.press(key);
      t.is(`width of the page in ${width} px`, true,
        (await page.evaluate(() => document.documentElement.scrollWidth)) <= width);
      const box = await page.locator("#next").boundingBox();
      t.is(`Next is in view in ${width} px`, true, box.y >= 0 && box.y + box.height <= 700 && box.x + box.width <= width);
    }
  }
  const { page } = await t.open({ width: 375, height: 700 });
  const sideways = async () => [await page.locator("#scrolls").isVisible(),
    await page.evaluate(() => document.querySelector("#frame").scrollWidth > document.querySelector("#frame").clientWidth + 1)];
  t.is("it says that the picture scrolls, and it does", [true, true], await sideways());
  await resize(page, 3000, 900);
  t.is("where there is room it says nothing", [false, false], await sideways());
  await resize(page, 375, 700);
  for (const box of await page.locator("#bar button:visible").evaluateAll((buttons) =>
    buttons.map((button) => button.getBoundingClientRect().height)))
    t.is("a button is high enough for a thumb", true, box >= 36);
}

export async function prints(t) {
  const { page } = await t.open({ hash: "#step=6", colorScheme: "dark" });
  await page.emulateMedia({ media: "print" });
  for (const id of ["bar", "jumped"]) t.is(`#${id} on paper`, false, await page.locator(`#${id}`).isVisible());
  for (const id of ["headline", "changes", "drawing", "code", "steps", "found"])
    t.is(`#${id} on paper`, true, await page.locator(`#${id}`).isVisible());
  t.is("paper is white", "rgb(255, 255, 255)",
    await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor));
  for (const id of ["code", "steps", "output", "changes"])
    t.is(`#${id} is printed whole`, true,
      await page.evaluate((name) => { const e = document.getElementById(name); return e.scrollHeight <= e.clientHeight + 1; }, id));
  const pdf = (await page.pdf({ format: "A4" })).toString("latin1");
  const sheets = (pdf.match(/\/Type\s*\/Page\b(?!s)/g) ?? []).length;
  t.is("sheets of paper", true, sheets >= 1 && sheets <= 3);
}

export async function calm(t) {
  for (const [reducedMotion, moves] of [["reduce", false], ["no-preference", true]]) {
    const { page } = await t.open({ reducedMotion });
    const durations = await page.evaluate(() => [...document.querySelectorAll("*")]
      .flatMap((e) => getComputedStyle(e).transitionDuration.split(", ")).filter((text) => parseFloat(text) > 0));
    t.is(`something moves with ${reducedMotion}`, moves, durations.length > 0);
  }
}

/* Texts of a program that wants to be HTML: they are there as texts, and nothing else is. */
export async function hostile(t) {
  const { page } = await t.open();
  const count = await last(page);
  t.is("steps", true, count > 10);
  t.is("scripts and styles", [2, 1],
    await page.evaluate(() => [document.querySelectorAll("script").length, document.querySelectorAll("style").length]));
  for (let i = 0; i < count; i++) {
    t.is(`elements that are not ours at step ${i + 1}`, 0,
      await page.evaluate(() => document.querySelectorAll("img, iframe, object, embed, foreignObject, svg svg, svg a, [onerror], [onload]").length));
    await page.keyboard.press("ArrowRight");
  }
  t.is("a script has run", false, await page.evaluate(() => "owned" in window));
  const text = process.env.HOSTILE_TEXT;
  t.is("the title is as given", text, await page.title());
  t.is("the heading is as given", text, await page.textContent("h1"));
  t.is("the output is as given", text + "\n", await page.textContent("#output"));
  t.is("the source is as given", true, (await page.textContent("#code")).includes(text));
  t.is("the finding is as given", true, (await page.textContent("#found")).includes(text));
  t.is("the end is as given", true, (await page.textContent("#end")).includes(text));
  await page.goto((await page.url()).replace(/#.*/, "#step=6"));
  await comesTo(page, 6);
  t.is("the caption is as given", text, await page.textContent("#caption"));
  /* And if something came in as HTML after all: the page's own policy still holds. */
  t.provoke();
  const refused = await page.evaluate(() => new Promise((done) => {
    const seen = [];
    document.addEventListener("securitypolicyviolation", (event) => { seen.push(event.effectiveDirective); done(seen); });
    document.querySelector("#changes").innerHTML = '<svg><image href="x" onerror="window.owned = 1"></image></svg><img src="x:y" onerror="window.owned = 1">';
    setTimeout(() => done(seen), 5000);
  }));
  t.is("the policy refuses what is put in by force", true, refused.length > 0);
  t.is("a script has run by force", false, await page.evaluate(() => "owned" in window));
}

/* A thousand steps: it opens at the last one, and every way to another still works. */
export async function long(t) {
  const { page } = await t.open({ hash: "#step=1000" });
  t.is("it opens at", "Step 1000  P: wait() = C100", await page.textContent("#headline"));
  t.is("what the picture has at its end", true,
    (await page.locator("#drawing text").allTextContents()).includes("C100, child of P"));
  t.is("lines printed", 1001, (await page.textContent("#output")).split("\n").length);
  await page.keyboard.press("Home");
  await page.click('[data-jump="fork"]');
  t.is("the first fork", "Step 4  P: fork() = C1", await page.textContent("#headline"));
  await page.locator("#slider").fill("500");
  t.is("the slider", "Step 500  P: wait() = C50", await page.textContent("#headline"));
  const list = await page.locator("#steps").boundingBox();
  const entry = await page.locator('#steps [aria-current]').boundingBox();
  t.is("the list shows the step", true, entry.y >= list.y && entry.y + entry.height <= list.y + list.height);
}
