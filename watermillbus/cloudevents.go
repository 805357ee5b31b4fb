package watermillbus

import (
	"fmt"
	"net/url"
	"strings"

	"example.com/eventbus"
	"github.com/ThreeDotsLabs/watermill/message"
)

// The attributes of CloudEvents 1.0 in binary mode, as its NATS protocol binding
// writes them: each a header of its own, with its value percent-encoded by the
// rule of the HTTP binding, section 3.1.3.2.
const (
	cePrefix      = "ce-"
	ceID          = "ce-id"
	ceSource      = "ce-source"
	ceSpecVersion = "ce-specversion"
	ceTime        = "ce-time"
	ceType        = "ce-type"
	ceContentType = "ce-datacontenttype"
)

func setCloudEvent(pairs map[string]string, data eventbus.Data, id, source, time string) {
	pairs[ceID], pairs[ceSource], pairs[ceTime] = ceEncode(id), ceEncode(source), time
	pairs[ceSpecVersion], pairs[ceType] = "1.0", ceEncode(data.Domain+"."+data.Action)
	if len(data.RawParams) > 0 {
		pairs[ceContentType] = "application/json"
	}
}

// cloudEvent reads what another program's CloudEvent says of an event: the type
// up to its last dot is the domain, and the rest the action.
func cloudEvent(md message.Metadata) (domain, action string, err error) {
	if v := md[ceSpecVersion]; v != "1.0" {
		return "", "", fmt.Errorf("%w: neither an event's domain and action nor a CloudEvent 1.0 (%s is %q)", ErrMalformed, ceSpecVersion, v)
	}
	name := ceDecode(md[ceType])
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return "", "", fmt.Errorf("%w: the CloudEvent's type %q has no dot between a domain and an action", ErrMalformed, name)
	}
	return name[:dot], name[dot+1:], nil
}

func ceEncode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c == '%' || c > '~' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// ceDecode leaves a value as it is where it isn't percent-encoded well.
func ceDecode(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}
