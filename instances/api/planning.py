"""POST /api/instances/plan: what the same request would come to."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.rest.authentication import caller_of
from accounts.scopes import Scope
from instances import services
from instances.api import catalogue_documentation as documentation
from instances.api.catalogue_answers import InstancePlan
from instances.api.serializers import CreateInstance


class PlanView(APIView):
    """Writes nothing, so a key that may look may ask, and an Idempotency-Key claims nothing."""

    required_scopes = {"POST": Scope.READ}

    @extend_schema(**documentation.PLAN)
    def post(self, request: Request) -> Response:
        spec = CreateInstance.spec(request.data)
        services.find_template(spec.template_id, request_id=getattr(request, "request_id", ""))
        plan = services.plan_instance(project=caller_of(request).project, spec=spec)
        return Response(InstancePlan.of(plan).as_json())
