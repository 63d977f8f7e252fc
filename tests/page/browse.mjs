// tests/page/browse.mjs - look at a page of forkscope in a real browser.
//
//   node browse.mjs NODE_MODULES CHECK PAGE
//
// Prints what is wrong, one line each, and exits 1; nothing, and 0, when all is right.
// The checks themselves are in checks.mjs, each an exported function.
import { createRequire } from "node:module";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import * as checks from "./checks.mjs";

const [modules, name, file] = process.argv.slice(2);
const require = createRequire(join(resolve(modules), "node_modules", "x"));
const { chromium } = require("playwright-core");
const axe = require("axe-core").source;
const profile = mkdtempSync(join(tmpdir(), "forklab-page-"));
const wrong = [];
let noting = true; // what the browser says by itself

/* Note what is wrong, unless it is right. */
function is(what, expected, found) {
  if (JSON.stringify(expected) !== JSON.stringify(found))
    wrong.push(`${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`);
}

function note(line) {
  if (noting) wrong.push(line);
}

/* A whole browser, in a profile of its own, with one page in it. Anything it says or asks for is noted. */
async function open({ hash = "", width = 1280, height = 900, clock = false, ...options } = {}) {
  const context = await chromium.launchPersistentContext(mkdtempSync(join(profile, "p-")), {
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    viewport: { width, height },
    timeout: 60000,
    ...options,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const url = pathToFileURL(resolve(file)).href;
  page.setDefaultTimeout(20000);
  page.on("console", (message) => note(`console: ${message.text()}`));
  page.on("pageerror", (error) => note(`error: ${error.message}`));
  page.on("dialog", async (dialog) => {
    note(`dialog: ${dialog.message()}`);
    await dialog.dismiss();
  });
  context.on("request", (request) => {
    const asked = request.url();
    if (asked.split("#")[0] !== url && !asked.startsWith("data:")) note(`request: ${asked}`);
  });
  if (clock) await page.clock.install();
  await page.goto(url + hash);
  return { page, context, url };
}

const opened = [];
try {
  if (typeof checks[name] !== "function") throw new Error(`there is no check called ${name}`);
  await checks[name]({
    is,
    axe,
    /* From here on the check provokes what the browser must refuse, and say. */
    provoke: () => {
      noting = false;
    },
    open: async (options) => {
      const one = await open(options);
      opened.push(one.context);
      return one;
    },
  });
} catch (error) {
  wrong.push(`${name}: ${error.message}`);
} finally {
  for (const context of opened) await context.close();
  rmSync(profile, { recursive: true, force: true });
}
for (const line of wrong) console.log(line);
process.exitCode = wrong.length > 0 ? 1 : 0;
