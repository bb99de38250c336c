"""The metrics of a running application, for Prometheus and OpenTelemetry."""
