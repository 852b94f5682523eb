-- Sends webhooks: each line of standard input is an event, which goes to a URL as JSON, signed,
-- and again until it is taken or four tries have failed. The URL is somebody else's, so that no
-- request goes to a private address, unless --private stands there.
--
--   export WEBHOOK_SECRET=...
--   echo '{"type":"paid","order":7}' | greenlua examples/webhook.lua URL [--private]
--
-- The receiver knows the sender by the signature (https://www.standardwebhooks.com), and an event
-- that comes twice by its id: that is why a POST may be sent again here.

local digest = require "green.digest"
local green = require "green"
local http = require "green.http"

local AT_ONCE = 8

local target, secret = arg[1], os.getenv "WEBHOOK_SECRET"
if not target or not secret then
  io.stderr:write("usage: WEBHOOK_SECRET=... greenlua examples/webhook.lua URL [--private]\n")
  os.exit(2)
end

local session = http.session {
  allow = arg[2] ~= "--private" and "public" or nil,
  redirects = 0, -- an event goes where it was told to, nowhere else
  timeout = { connect = 5, first = 15, total = 60 },
  retries = { tries = 4, base = 0.2, cap = 10, methods = { "POST" },
    statuses = { 408, 429, 500, 502, 503, 504 } },
  headers = { ["Content-Type"] = "application/json", ["User-Agent"] = "greenlua-webhook" },
}

--- Send one event: what to say of it, and whether it was taken.
local function send(text)
  local id = "msg_" .. digest.base64url(digest.random(18))
  local at = tostring(os.time())
  local signature = digest.base64(digest.hmac("sha256", secret, id .. "." .. at .. "." .. text))
  local resp, err = session:post(target, { body = text, headers = {
    ["Webhook-Id"] = id, ["Webhook-Timestamp"] = at, ["Webhook-Signature"] = "v1," .. signature,
  } })
  if not resp then return ("%s  %s"):format(id, tostring(err)), false end
  resp:text() -- so that the connection serves the next one
  return ("%s  %d"):format(id, resp.status), resp.status < 300
end

local failed = 0
for _, line, is_taken in green.GreenPool(AT_ONCE):imap(send, io.lines()) do
  print((is_taken and "taken   " or "failed  ") .. line)
  failed = failed + (is_taken and 0 or 1)
end
session:close()
os.exit(failed == 0 and 0 or 1)
