package brokertest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
)

// redisServer is a redis-server on a port of its own, which writes all to disk.
type redisServer struct {
	dir, port string
	process   *exec.Cmd
	leash     io.Closer
}

func newRedis(t *testing.T) server {
	if _, err := exec.LookPath("redis-server"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("EVENTBUS_REQUIRE"), ","), "redis") {
			t.Fatal("EVENTBUS_REQUIRE names redis, and there is no redis-server")
		}
		t.Skip("there is no redis-server")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &redisServer{dir: t.TempDir(), port: strconv.Itoa(l.Addr().(*net.TCPAddr).Port)}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	return s
}

func (s *redisServer) start(t *testing.T) {
	// The shell ends the server also where the test's process is gone.
	s.process = exec.Command("sh", "-c", `redis-server "$@" & read end; kill $!; wait $!`, "sh",
		"--port", s.port, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always")
	leash, err := s.process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.leash = leash
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	client := s.client(t)
	for deadline := time.Now().Add(patience); ; {
		err := client.Ping(context.Background()).Err()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("redis-server doesn't start: %v", err)
		}
	}
}

func (s *redisServer) stop(t *testing.T) {
	if s.process == nil {
		return
	}
	if err := errors.Join(s.leash.Close(), s.process.Wait()); err != nil {
		t.Log("redis-server:", err)
	}
	s.process = nil
}

// client returns one that its user closes, or the end of the test.
func (s *redisServer) client(t *testing.T) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: net.JoinHostPort("127.0.0.1", s.port), MaxRetries: -1})
	t.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
			t.Error(err)
		}
	})
	return c
}

func (s *redisServer) publisher(t *testing.T) message.Publisher {
	p, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: s.client(t)}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, p)
	return p
}

func (s *redisServer) subscriber(t *testing.T) message.Subscriber {
	sub, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client: s.client(t), ConsumerGroup: "mailer", Consumer: "mailer-1",
		DisableIndefiniteInitialBlock: true, // or a goroutine outlives Close
	}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, sub)
	return sub
}

func (s *redisServer) unacked(t *testing.T) int {
	groups, err := s.client(t).XInfoGroups(t.Context(), "events").Result()
	if err != nil || len(groups) != 1 {
		t.Fatalf("groups %v, error %v", groups, err)
	}
	return int(groups[0].Pending + groups[0].Lag)
}
