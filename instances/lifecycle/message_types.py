"""Types of the messages that instances tell."""

from webhooks.event_types import EventType

# Those of a change of status, then those that are told without one.
EVENT_TYPES = (
    EventType("instance.creating", "Accepted; an offer is looked for"),
    EventType("instance.starting", "There is a GPU, or it is started again; it costs from here on"),
    EventType("instance.running", "Usable: the addresses are in data"),
    EventType("instance.stopping", "A stop is under way"),
    EventType("instance.stopped", "Stopped; the disk stays"),
    EventType("instance.migrating", "Novita moves it to another machine"),
    EventType("instance.terminating", "A termination is under way"),
    EventType("instance.terminated", "Ended: nothing is left at Novita, unless it reappears there"),
    EventType("instance.failed", "Failed for good; error says why"),
    EventType("instance.expiring", "maxRuntimeMinutes ends it soon"),
    EventType(
        "instance.spot_notice", "Novita will take the spot instance back (data.spotReclaimAt)"
    ),
    EventType("instance.spot_notice_updated", "The time of the notice became known, or moved"),
    EventType("instance.spot_notice_withdrawn", "Novita took the notice back"),
    EventType(
        "instance.trouble", "Novita reports an error, or an unknown status: data.statusReason"
    ),
    EventType("instance.trouble_over", "What Novita reported is over"),
    EventType("instance.moved", "It runs in another cluster now; its addresses are read again"),
    EventType("instance.stuck", "No progress at Novita for minutes"),
    EventType("instance.stray_found", "A second GPU was found and is being ended"),
    EventType("instance.gone", "The kept GPU of a failed instance has left"),
    EventType("instance.reappeared", "That GPU is there after all"),
    EventType("instance.ending_held_up", "Its end takes long: the event says what Novita answers"),
    EventType(
        "instance.updated", "Its name, tags, webhookUrl or limits were changed", is_opt_in=True
    ),
)
