--- Listening, connecting, and serving each client in a green thread of its own.
-- @module green.server

local serve = require "green.net.serve"

return {
  listen = require("green.net.listen").listen,
  connect = require("green.net.connect").connect,
  serve = serve.serve,
  StopServe = serve.StopServe,
}
