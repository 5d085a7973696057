package bare

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Kubo is a plain HTTP client of a kubo node's RPC. It adds files with the settings that
// Chartseal uses for payloads. It is safe for concurrent use.
type Kubo struct {
	token string
	http  http.Client
}

// ConnectKubo takes the path of the Unix socket of the node's RPC.
func ConnectKubo(socket, token string) *Kubo {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &Kubo{token: token, http: http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 2}}}
}

func (k *Kubo) call(ctx context.Context, command string, options url.Values, body io.Reader, contentType string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/api/v0/"+command+"?"+options.Encode(), body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+k.token)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := k.http.Do(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		return nil, fmt.Errorf("kubo %s: %s: %s", command, resp.Status, text)
	}
	return resp.Body, nil
}

// Add stores and pins the content of r and returns its CID.
func (k *Kubo) Add(ctx context.Context, r io.Reader) (string, error) {
	body, w := io.Pipe()
	form := multipart.NewWriter(w)
	go func() {
		part, err := form.CreateFormFile("file", "file")
		if err == nil {
			_, err = io.Copy(part, r)
		}
		if err == nil {
			err = form.Close()
		}
		w.CloseWithError(err)
	}()
	out, err := k.call(ctx, "add", url.Values{"cid-version": {"1"}, "raw-leaves": {"true"}, "chunker": {"size-1048576"}, "pin": {"true"}, "quieter": {"true"}},
		body, form.FormDataContentType())
	if err != nil {
		return "", err
	}
	defer out.Close()
	var added struct{ Hash string }
	err = json.NewDecoder(out).Decode(&added)
	return added.Hash, err
}

// Cat writes the content of a CID to w.
func (k *Kubo) Cat(ctx context.Context, cid string, w io.Writer) error {
	out, err := k.call(ctx, "cat", url.Values{"arg": {cid}}, nil, "")
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = io.Copy(w, out)
	return err
}

// Evict removes a CID from the node. It first waits for a pin that may still arrive, for
// at most patience.
func (k *Kubo) Evict(ctx context.Context, cid string, patience time.Duration) error {
	for deadline := time.Now().Add(patience); ctx.Err() == nil && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if k.run(ctx, "pin/ls", url.Values{"arg": {cid}, "type": {"recursive"}}) == nil {
			if err := k.run(ctx, "pin/rm", url.Values{"arg": {cid}}); err != nil {
				return err
			}
			break
		}
	}
	return k.run(ctx, "repo/gc", url.Values{"quiet": {"true"}})
}

func (k *Kubo) run(ctx context.Context, command string, options url.Values) error {
	out, err := k.call(ctx, command, options, nil, "")
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = io.Copy(io.Discard, out)
	return err
}
