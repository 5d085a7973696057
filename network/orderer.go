package network

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
)

// configureOrderer writes orderer.yaml: Fabric's sample with our settings over it.
func (n *Network) configureOrderer(org string) error {
	return n.configureFrom("orderer.yaml", n.org(org, "orderer", "orderer.yaml"), n.ordererSettings(org))
}

func (n *Network) ordererSettings(org string) object {
	dir := n.org(org, "orderer")
	cert, key := filepath.Join(dir, "tls-cert.pem"), filepath.Join(dir, "tls-key.pem")
	administrators := []string{n.administrationRoot(org)}
	return object{
		"General": object{
			"ListenAddress": n.host(org), "ListenPort": n.port(org, portOrderer),
			"TLS": object{
				"Enabled": true, "Certificate": cert, "PrivateKey": key, "RootCAs": n.tlsRoots(),
				"ClientAuthRequired": true, "ClientRootCAs": n.clientRoots(),
			},
			// Without "simple" a restarted BFT orderer never catches up over mutual TLS.
			"Cluster":     object{"ReplicationPolicy": "simple", "ClientCertificate": cert, "ClientPrivateKey": key},
			"LocalMSPDir": filepath.Join(dir, "msp"), "LocalMSPID": org,
		},
		"FileLedger": object{"Location": filepath.Join(dir, "data")},
		"Consensus":  object{"WALDir": filepath.Join(dir, "data", "wal"), "SnapDir": filepath.Join(dir, "data", "snapshot")},
		"Operations": object{"ListenAddress": n.address(org, portOrdererOperations), "TLS": object{
			"Enabled": true, "Certificate": cert, "PrivateKey": key, "ClientAuthRequired": true, "ClientRootCAs": administrators,
		}},
		"Metrics": object{"Provider": "prometheus"},
		"Admin": object{"ListenAddress": n.address(org, portOrdererAdmin), "TLS": object{
			"Enabled": true, "Certificate": cert, "PrivateKey": key, "ClientAuthRequired": true, "ClientRootCAs": administrators,
		}},
	}
}

func (n *Network) participationURL(org string) string {
	return "https://" + n.address(org, portOrdererAdmin) + "/participation/v1/channels"
}

func (n *Network) ordererProcess(org string) *process {
	dir := n.org(org, "orderer")
	env := append([]string{"FABRIC_CFG_PATH=" + dir}, logging...)
	if n.lenient.Load() {
		env = append(env, lenientOrderer)
	}
	return &process{
		organisation: org, kind: "orderer", address: n.address(org, portOrderer),
		ports: []int{n.port(org, portOrderer), n.port(org, portOrdererAdmin), n.port(org, portOrdererOperations)},
		path:  filepath.Join(n.state.Servers.Fabric, "orderer"),
		env:   env, dir: dir,
		ready: func(ctx context.Context) error {
			_, err := n.probe(ctx, org, http.MethodGet, n.participationURL(org))
			return err
		},
		height: func(ctx context.Context) (uint64, error) {
			info, err := n.ordererChannel(ctx, org)
			if err == nil && info.Status != "active" && info.Status != "onboarding" {
				err = fmt.Errorf("its status in the channel is %q", info.Status)
			}
			return info.Height, err
		},
	}
}

// logging keeps the lines that help to find a fault, without colours and without a line
// for every call.
var logging = []string{
	"FABRIC_LOGGING_SPEC=info:grpc=warning:comm.grpc.server=warning:gossip=warning:viperutil=warning",
	"FABRIC_LOGGING_FORMAT=%{time:2006-01-02 15:04:05.000} %{level} [%{module}] %{message}",
}

type channelInfo struct {
	Status            string // active once it has caught up
	ConsensusRelation string // consenter or follower
	Height            uint64
}

func (n *Network) ordererChannel(ctx context.Context, org string) (info channelInfo, err error) {
	body, err := n.probe(ctx, org, http.MethodGet, n.participationURL(org)+"/"+n.topology.Channel)
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(body, &info); err != nil {
		return info, fmt.Errorf("%s/orderer: %w", org, err)
	}
	return info, nil
}
