--- The status page: markup, with its style and its script in it, so that it is one file
-- wherever it is mounted. It has nothing of the process in it but the title: the script asks for
-- the rest, and puts it in as text.
-- @module green.status.page

local digest = require "green.digest"
local scrub = require("green.http.utf8").scrub
local script = require "green.status.script"
local style = require "green.status.style"

local format, gsub = string.format, string.gsub -- scripts may put their own there

local M = {}

local function source(text)
  return "'sha256-" .. digest.base64(digest.sha256(text)) .. "'"
end

--- Nothing runs, and nothing is loaded, but what stands in the page.
M.headers = {
  ["Content-Security-Policy"] = format("default-src 'none'; script-src %s; style-src %s; "
    .. "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    source(script), source(style)),
}

local PAGE = [==[
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>@TITLE@</title>
<style>@STYLE@</style>
</head>
<body>
<header>
<div><h1>@TITLE@</h1><p id="about">&nbsp;</p></div>
<div class="live"><span id="state" role="status">connecting</span>
<button id="pause" type="button" aria-pressed="false">Pause</button></div>
</header>
<noscript><p class="note">This page needs JavaScript. The same is there as
<a href="?format=json">JSON</a> and <a href="?format=prometheus">for Prometheus</a>.</p></noscript>
<main>
<section id="cards" aria-label="Overview"></section>
<section id="stalls-at"><h2>Stalls</h2><div id="stalls"></div></section>
<section><h2>Servers</h2><div id="servers"></div></section>
<section><h2>Requests in hand</h2><div id="requests"></div></section>
<section><h2>Turns of the loop</h2><div id="turns"></div></section>
<section><h2>Green threads</h2><div id="threads"></div></section>
<section class="two"><div><h2>Native threads</h2><div id="jobs"></div></div>
<div><h2>Memory</h2><div id="memory"></div></div></section>
</main>
<script>@SCRIPT@</script>
</body>
</html>
]==]

local signs = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

--- Text as HTML.
function M.escaped(text)
  return (gsub(scrub(text), "[&<>\"']", signs))
end

--- The page.
function M.of(title)
  local parts = { TITLE = M.escaped(title), STYLE = style, SCRIPT = script }
  return (gsub(PAGE, "@(%u+)@", parts))
end

return M
