// tests/page/browse.mjs - look at a page of forkscope in a real browser.
//
//   node browse.mjs NODE_MODULES CHECK PAGE
//
// Prints what is wrong, one line each, and exits 1; nothing, and 0, when all is right.
// The checks themselves are in checks.mjs, each an exported function.
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import * as checks from "./checks.mjs";

const [modules, name, file] = process.argv.slice(2);
const require = createRequire(join(resolve(modules), "node_modules", "x"));
const { chromium } = require("playwright-core");
const axe = require("axe-core").source;
const wrong = [];
let browser;
let noting = true; // what the browser says by itself

/* Note what is wrong, unless it is right. */
function is(what, expected, found) {
  if (JSON.stringify(expected) !== JSON.stringify(found))
    wrong.push(`${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`);
}

function note(line) {
  if (noting) wrong.push(line);
}

/* A page in a window of its own. Anything it says or asks for is noted. */
async function open({ hash = "", width = 1280, height = 900, clock = false, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, ...options });
  const page = await context.newPage();
  const url = pathToFileURL(resolve(file)).href;
  page.setDefaultTimeout(60000);
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
  if (clock) await page.clock.install({ time: 0 });
  await page.goto(url + hash);
  /* From here on time goes by only when the check says so, however busy the machine is. */
  if (clock) await page.clock.pauseAt(3600000);
  return { page, url };
}

try {
  if (typeof checks[name] !== "function") throw new Error(`there is no check called ${name}`);
  // In a profile of its own, which playwright makes and removes.
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    timeout: 60000,
  });
  await checks[name]({
    is,
    axe,
    /* From here on the check provokes what the browser must refuse, and say. */
    provoke: () => {
      noting = false;
    },
    open,
  });
} catch (error) {
  wrong.push(`${name}: ${error.message}`);
} finally {
  await browser?.close();
}
for (const line of wrong) console.log(line);
process.exitCode = wrong.length > 0 ? 1 : 0;
