--- Who stands around each request of the client that leaves this process: green.tracing puts
-- itself here while it runs. Private to green.http.
-- @module green.http.instrument

return {
  send = false, -- send(run, session, req, due): calls run with the others, returns its results
}
