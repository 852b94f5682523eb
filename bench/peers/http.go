// An HTTP hello by Go's net/http: http PORT
package main

import (
	"net/http"
	"os"
)

func main() {
	hello := []byte("hello\n")
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write(hello)
	})
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
