--- Listening, connecting, and serving each client in a green thread of its own.
-- @module green.server

local serve = require "green.server.serve"

return {
  listen = require("green.server.listen").listen,
  connect = require("green.server.connect").connect,
  serve = serve.serve,
  StopServe = serve.StopServe,
}
