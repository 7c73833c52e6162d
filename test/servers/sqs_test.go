package servers_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"sluice/test/servers"
)

func TestQueuesAreMade(t *testing.T) {
	url := servers.SQS(t)
	req, err := http.NewRequestWithContext(t.Context(), "POST", url+"/", strings.NewReader(`{"QueueName":"`+strings.ToLower(t.Name())+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "AmazonSQS.CreateQueue")
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if want := url + "/000000000000/"; err != nil || !strings.Contains(string(body), want) {
		t.Errorf("got %s, %v, want a queue at %s", body, err, want)
	}
}
