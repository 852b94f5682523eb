-- Digest and basic authentication at other people's servers: apache2 and lighttpd.
local auth = require "green.http.auth"
local digest = require "green.digest"
local lfs = require "lfs"
local peers = require "spec.support.http_peers"
local program = require "spec.support.program"
local testing = require "green.testing"

local _, it_real = testing.busted()

local MODULES = "/usr/lib/apache2/modules/mod_%s.so"

local APACHE = [[
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authn_file_module /usr/lib/apache2/modules/mod_authn_file.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule auth_digest_module /usr/lib/apache2/modules/mod_auth_digest.so
ServerName 127.0.0.1
Listen 127.0.0.1:%d
User www-data
Group www-data
PidFile %s.pid
DefaultRuntimeDir /tmp
ErrorLog /dev/null
DocumentRoot %s
<Location />
AuthType Digest
AuthName "a realm"
AuthDigestDomain /
AuthDigestProvider file
AuthUserFile %s
Require valid-user
</Location>
]]

local LIGHTTPD = [[
server.modules = ("mod_auth", "mod_authn_file")
server.document-root = "%s"
server.port = %d
server.bind = "127.0.0.1"
server.errorlog = "/dev/null"
auth.backend = "htdigest"
auth.backend.htdigest.userfile = "%s"
auth.require = ("/" => ("method" => "%s", "realm" => "a realm", "require" => "valid-user"%s))
]]

local function there_is(path)
  return lfs.attributes(path, "mode") == "file"
end

--- Run body(port) beside a server with a page /x, told by conf(port, folder, file of joe).
local function with_server(words, conf, secret, body)
  local page, users = program.file "a page", program.file(secret .. "\n")
  local folder, name = page:match "^(.*)/([^/]*)$"
  os.execute(("chmod a+r %s %s"):format(page, users))
  local at
  local ok, err = pcall(peers.beside, function(port)
    at = program.file(conf(port, folder, users))
    local argv = {}
    for i, word in ipairs(words) do argv[i] = word == "CONF" and at or word end
    return argv
  end, function(port)
    body(port, "/" .. name)
  end)
  for _, path in ipairs { page, users, at, at .. ".pid" } do
    os.remove(path)
  end
  if not ok then
    error(err, 0)
  end
end

--- The line of joe with the password "secret".
local function line_of(hash)
  return "joe:a realm:" .. digest.hex(hash "joe:a realm:secret")
end

--- The pages for joe, whom one nonce serves, and not for others.
local function lets_joe_in(port, target)
  local own = auth.digest("joe", "secret")
  for i = 1, 5 do
    local status, sent, text = peers.fetch(port, own, target .. "?n=" .. i)
    assert.equal(200, status)
    assert.equal(i == 1 and 2 or 1, sent)
    assert.matches("a page$", text)
  end
  for _, other in ipairs { auth.digest("joe", "wrong"), auth.digest("jim", "secret") } do
    local status, sent = peers.fetch(port, other, target)
    assert.equal(401, status)
    assert.equal(2, sent)
  end
end

describe("green.http.auth", function()
  it_real("is let in by apache2", function()
    if not there_is(MODULES:format "auth_digest") then
      return pending "no apache2"
    end
    with_server({ "/usr/sbin/apache2", "-X", "-f", "CONF" }, function(port, folder, users)
      return APACHE:format(port, users, folder, users)
    end, line_of(digest.md5), lets_joe_in)
  end)

  for algorithm, hash in pairs { MD5 = digest.md5, ["SHA-256"] = digest.sha256 } do
    it_real("is let in by lighttpd, " .. algorithm, function()
      if not there_is "/usr/sbin/lighttpd" then
        return pending "no lighttpd"
      end
      with_server({ "/usr/sbin/lighttpd", "-D", "-f", "CONF" }, function(port, folder, users)
        return LIGHTTPD:format(folder, port, users, "digest",
          (', "algorithm" => "%s"'):format(algorithm))
      end, line_of(hash), lets_joe_in)
    end)
  end

  it_real("is let in by lighttpd, basic", function()
    if not there_is "/usr/sbin/lighttpd" then
      return pending "no lighttpd"
    end
    with_server({ "/usr/sbin/lighttpd", "-D", "-f", "CONF" }, function(port, folder, users)
      return LIGHTTPD:format(folder, port, users, "basic", "")
    end, line_of(digest.md5), function(port, target)
      assert.equal(200, (peers.fetch(port, auth.basic("joe", "secret"), target)))
      assert.equal(401, (peers.fetch(port, auth.basic("joe", "wrong"), target)))
    end)
  end)
end)
