"""Looks at pages with headless Chromium."""

import html
import json
import re
import shutil
import subprocess
import sys

NOT_RUN = 77  # ctest lists the test as skipped
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Keeps what goes wrong in a page from its first script on.
WATCH = """<head><script>
window.problems = [];
addEventListener("error", (event) => problems.push(String(event.message)));
addEventListener("securitypolicyviolation", (event) => problems.push("policy: " + event.violatedDirective));
console.error = console.warn = (...texts) => problems.push(texts.join(" "));
</script>"""
# Loads each page in each width and tells what look(frame) found.
VISIT = """<!DOCTYPE html><body><script>
LOOK
(async () => {
  const found = {};
  for (const name of NAMES) for (const width of WIDTHS) {
    const frame = document.createElement("iframe");
    frame.style = `width: ${width}px; height: 900px; border: 0`;
    frame.src = name;
    const loaded = new Promise((resolve) => { frame.onload = resolve; });
    document.body.append(frame);
    await loaded;
    try { found[`${name} ${width}`] = await look(frame); } catch (error) { found[`${name} ${width}`] = { problems: [String(error)] }; }
    frame.remove();
  }
  const result = document.createElement("pre");
  result.textContent = JSON.stringify(found);
  document.body.replaceChildren(result);
})();
</script></body>"""


def need(what):
    """Ends the program where there is no browser."""
    if BROWSER is None:
        print(f"NOT RUN: {what} is looked at with Chromium, which is not there (Debian: chromium)", flush=True)
        sys.exit(NOT_RUN)


def look(folder, pages, script, widths):
    """What `script`'s look(frame) found in each page at each width, as {"NAME.html WIDTH": found}; lines of the console.
    pages: name -> file; what goes wrong in one is in its window.problems."""
    names = []
    for name, path in pages.items():
        text = path.read_text(encoding="utf-8").replace("<head>", WATCH, 1)
        names.append(f"{name}.html")
        (folder / names[-1]).write_text(text, encoding="utf-8")
    visit = VISIT.replace("NAMES", json.dumps(names)).replace("WIDTHS", json.dumps(widths)).replace("LOOK", script)
    (folder / "look.html").write_text(visit, encoding="utf-8")
    done = subprocess.run(
        [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom",
         "--window-size=1400,1000", "--virtual-time-budget=20000", "--allow-file-access-from-files",
         f"--user-data-dir={folder / 'profile'}", (folder / "look.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=True)
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    result = re.search(r"<pre>(.*)</pre>", done.stdout, re.DOTALL)
    if result is None:
        raise AssertionError(f"the browser did not get to the end:\n{done.stdout[:3000]}\n{done.stderr[-3000:]}")
    return json.loads(html.unescape(result[1])), console
